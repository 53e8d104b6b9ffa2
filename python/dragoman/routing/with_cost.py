"""The final cost, in the answer itself, for a client that asks for it (``x-dragoman-include-cost: true``).

It is known only once the usage is, so the end of the answer is held back until then. Otherwise an answer of the
client's own dialect is passed on byte by byte, and its cost is at ``GET /v1/requests/{id}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.core import without_usage
from dragoman.routing.settle import spent_by

if TYPE_CHECKING:
    from dragoman.cache.kept import Kept
    from dragoman.core import Outcome
    from dragoman.routing.run import Run
    from dragoman.usage.row import Tokens

_encode = msgspec.json.encode
DONE = b"data: [DONE]\n\n"


def end_answer(run: Run, outcome: Outcome) -> None:
    """Write what of a successful answer was held back: a translated one, or the cost of one that is not."""
    run.spent = spent_by(run)
    tokens, _, cost_nanousd = run.spent
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
    content_type = _content_type(run, outcome)
    if run.request.recording is not None:
        run.request.recording.write(content_type, body)
    if run.wants_cost:
        body = _with_usage(body, cost)
    run.refresh_headers()
    run.request.reply.answer(outcome, content_type, run.sent_headers, cost_nanousd, body)


def write_kept(run: Run, kept: Kept, body: bytes, *, stream: bool, begun: bool = False) -> None:
    """Write an answer that no provider was asked for: it costs nothing.

    :param begun: all of it has been sent.
    """
    request = run.request
    if request.recording is not None and not begun:
        request.recording.write(kept.content_type, body)
    if run.wants_cost:
        cost = {"cost": 0.0, "cost_nanousd": 0}
        body = body + _cost_event(run, {**_usage(kept.tokens), **cost}) if stream else _with_usage(body, cost)
    request.stage = "answered"
    if begun:
        if run.wants_cost:
            request.reply.send(_cost_event(run, {**_usage(kept.tokens), "cost": 0.0, "cost_nanousd": 0}))
        request.reply.finish()
        return
    headers = [("content-type", kept.content_type), *run.answer_headers(0), ("age", str(kept.age_s)), *run.times()]
    request.proto.response_bytes(200, [*headers, ("x-dragoman-cost", "0.000000000")], body)


def _end_stream(run: Run, ending: bytes, usage: dict[str, Any]) -> None:
    """The end of a stream, and what it cost, which is for this client alone."""
    if ending:
        run.request.reply.send(ending)
    run.request.reply.send_alone(_cost_event(run, usage))
    run.request.reply.finish()


def _cost_event(run: Run, usage: dict[str, Any]) -> bytes:
    event: dict[str, Any] = {
        "id": run.request.id,
        "object": "chat.completion.chunk" if run.endpoint == "chat" else "text_completion",
        "created": run.request.started_at_ms // 1000,
        "model": by.model if (by := run.kept or run.deployment) is not None else "",
        "choices": [],
        "usage": usage,
    }
    return b"data: " + _encode(event) + b"\n\n" + DONE


def _content_type(run: Run, outcome: Outcome) -> str:
    """JSON, but for what is passed through."""
    looked_into = run.endpoint == "chat" and run.guarding is not None and run.guarding.concerns_answer(stream=False)
    if run.translation is not None or looked_into:
        return "application/json"
    return outcome.header("content-type") or "application/json"


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
