"""The final cost, in the answer itself, for a client that asks for it (``x-dragoman-include-cost: true``).

It is known only once the usage is, so the end of the answer is held back until then. Otherwise an answer of the
client's own dialect is passed on byte by byte, and its cost is at ``GET /v1/requests/{id}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.core import without_usage
from dragoman.routing.settle import cost_of, tokens_of

if TYPE_CHECKING:
    from dragoman.core import Outcome
    from dragoman.routing.run import Run
    from dragoman.usage.row import Tokens

_encode = msgspec.json.encode
DONE = b"data: [DONE]\n\n"


def end_answer(run: Run, outcome: Outcome) -> None:
    """Write what of a successful answer was held back: a translated one, or the cost of one that is not."""
    tokens, _ = tokens_of(run)
    cost_nanousd = cost_of(run, tokens)
    cost = {"cost": None if cost_nanousd is None else cost_nanousd / 1e9, "cost_nanousd": cost_nanousd}
    translation = run.translation
    if translation is not None and run.stream:
        if translation.unsent is not None:
            ending = without_usage(translation.unsent.removesuffix(DONE))
            _end_stream(run, ending, {**_usage(tokens), **cost})
        return
    if translation is None and run.stream and outcome.written:
        _end_stream(run, b"", {**_usage(tokens), **cost})
        return
    body = outcome.body if translation is None else translation.write_whole(run)
    if run.guarding is not None:
        body = run.guarding.shown(body)
    if translation is not None:
        translation.last = body
        run.before_end(run)
    _write(run, outcome, cost_nanousd, _with_usage(body, cost) if run.wants_cost else body)


def _end_stream(run: Run, ending: bytes, usage: dict[str, Any]) -> None:
    event: dict[str, Any] = {
        "id": run.request.id,
        "object": "chat.completion.chunk" if run.endpoint == "chat" else "text_completion",
        "created": run.request.started_at_ms // 1000,
        "model": run.deployment.model if run.deployment else "",
        "choices": [],
        "usage": usage,
    }
    run.request.reply.send(ending + b"data: " + _encode(event) + b"\n\n" + DONE)
    run.request.reply.finish()


def _write(run: Run, outcome: Outcome, cost_nanousd: int | None, body: bytes) -> None:
    overhead_ms, upstream_ms = run.request.reply.times_ms()
    headers = [
        ("content-type", _content_type(run, outcome)),
        *run.answer_headers(len(run.notes)),
        *run.rate_limits,
        ("x-dragoman-overhead-ms", f"{overhead_ms:.3f}"),
        ("x-dragoman-upstream-ms", f"{upstream_ms:.3f}"),
    ]
    if cost_nanousd is not None:
        headers.append(("x-dragoman-cost", f"{cost_nanousd / 1e9:.9f}"))
    run.request.proto.response_bytes(outcome.status, headers, body)


def _content_type(run: Run, outcome: Outcome) -> str:
    """JSON, but for what is passed through."""
    return "application/json" if run.translation is not None else outcome.header("content-type") or "application/json"


def _with_usage(body: bytes, more: dict[str, Any]) -> bytes:
    try:
        answer: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body  # half a surrogate pair, or nested beyond what is built here: better as it came than not at all
    usage = answer.get("usage")
    answer["usage"] = {**(usage if isinstance(usage, dict) else {}), **more}
    return _encode(answer)


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached_input, "audio_tokens": tokens.audio_input},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": tokens.audio_output},
    }
