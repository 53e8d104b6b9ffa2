"""How Anthropic's clients are told how much of a limit is left: in the headers that their SDKs know."""

from __future__ import annotations

import time
from datetime import UTC, datetime

CLAUDE = frozenset({"anthropic", "bedrock_invoke", "vertex_claude"})
Left = tuple[int, int, float | None]


def claude_headers(requests: Left | None, tokens: Left | None, now_s: float | None = None) -> list[tuple[str, str]]:
    """Of limits of requests and of tokens: ``anthropic-ratelimit-requests-limit``, ``-remaining`` and ``-reset``.

    :param requests: the limit, what is left of it, seconds until all of it is there again; ``None``: never.
    :param tokens: the same.
    :param now_s: Unix time, where that is not now.
    """
    at_s = time.time() if now_s is None else now_s
    told = []
    for kind, left in (("requests", requests), ("tokens", tokens)):
        if left is not None:
            told += _headers(f"anthropic-ratelimit-{kind}", left, at_s)
    return told


def _headers(name: str, told: Left, now_s: float) -> list[tuple[str, str]]:
    most, left, resets_s = told
    headers = [(f"{name}-limit", str(most)), (f"{name}-remaining", str(max(0, left)))]
    if resets_s is not None:
        moment = datetime.fromtimestamp(now_s + resets_s, UTC).isoformat(timespec="seconds")
        headers.append((f"{name}-reset", moment.replace("+00:00", "Z")))
    return headers
