"""How clients are told how much of a limit is left: in the headers that their SDKs know."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["requests", "tokens"]
CLAUDE = frozenset({"anthropic", "bedrock_invoke", "vertex_claude"})


def limit_headers(
    dialect: str, kind: Kind, most: int, left: int, resets_s: float | None, now_s: float | None = None
) -> list[tuple[str, str]]:
    """Of one limit, in a dialect: Anthropic's names and times in its own, OpenAI's in all others.

    :param resets_s: until all of it is there again; ``None``: never.
    :param now_s: Unix time, where that is not now.
    """
    left = max(0, left)
    if dialect in CLAUDE:
        name = f"anthropic-ratelimit-{kind}"
        told = [(f"{name}-limit", str(most)), (f"{name}-remaining", str(left))]
        if resets_s is not None:
            at_s = (time.time() if now_s is None else now_s) + resets_s
            moment = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
            told.append((f"{name}-reset", moment.replace("+00:00", "Z")))
        return told
    told = [(f"x-ratelimit-limit-{kind}", str(most)), (f"x-ratelimit-remaining-{kind}", str(left))]
    if resets_s is not None:
        told.append((f"x-ratelimit-reset-{kind}", duration(resets_s)))
    return told


def duration(seconds: float) -> str:
    """``6m0s``, ``1.5s`` or ``17ms``, as in the ``x-ratelimit-reset`` headers."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
