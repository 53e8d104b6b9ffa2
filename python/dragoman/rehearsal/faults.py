"""What a script breaks, done to a plan that was whole.

Positions mean chunks (see ``script.py``): an event of a stream, or one of the even parts that a whole body is cut into
first. A position past the end leaves the answer as it is.
"""

from __future__ import annotations

from email.utils import formatdate
from itertools import pairwise

import msgspec

from dragoman.rehearsal.plan import JSON, Headers, Plan, Step
from dragoman.rehearsal.script import Break, Cut, Malformed, Refuse, Script, Stall

_WORDS = {
    400: ("invalid_request_error", None, "The request is malformed."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("permission_error", None, "You are not allowed to use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    503: ("server_error", "overloaded", "The server is overloaded or not ready yet."),
}
_OTHER = ("server_error", None, "The server had an error while processing your request. Sorry about that!")
_STREAM_GARBAGE = {
    "json": b'data: {"id":"chatcmpl-\n\n',
    "line": b"this line is no event\n\n",
    "utf8": b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"},"finish_reason":null}]}\n\n',
    "html": b"<html><body><h1>502 Bad Gateway</h1></body></html>\n\n",
}
_BODY_GARBAGE = {"json": b"\x00", "line": b"\x00", "utf8": b"\xff", "html": _STREAM_GARBAGE["html"]}


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """An error as OpenAI writes it."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def refusal(refuse: Refuse, headers: Headers, now_s: float) -> Plan:
    """An error instead of an answer; ``now_s`` is Unix time, for the date form of ``Retry-After``."""
    kind, code, message = _WORDS.get(refuse.status, _OTHER)
    body = refuse.body.encode() if refuse.body is not None else None
    if body is None:
        body = error_body(refuse.message or message, refuse.type or kind, code=refuse.code or code)
    sent = [*headers, ("content-type", refuse.content_type), *retry_after(refuse, now_s), *refuse.headers.items()]
    return Plan(status=refuse.status, headers=sent, steps=[Step(0.0, body)])


def _duration(seconds: float) -> str:
    """As OpenAI writes it: ``6m0s``, ``1.5s`` or ``17ms``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"


def retry_after(refuse: Refuse, now_s: float) -> Headers:
    """The headers that say when to come back, in the form asked for."""
    wait_s = refuse.retry_after_s
    if wait_s is None:
        return []
    if refuse.retry_after_form == "date":
        return [("retry-after", formatdate(max(0.0, now_s + wait_s), usegmt=True))]
    if refuse.retry_after_form == "milliseconds":
        return [("retry-after-ms", f"{wait_s * 1000:.0f}")]
    if refuse.retry_after_form == "reset_headers":
        limits = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", _duration(wait_s))]
        return [*limits, ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", _duration(wait_s))]
    return [("retry-after", f"{wait_s:g}")]


def broken(plan: Plan, script: Script, chunks: int) -> Plan:
    """``plan`` with what the script breaks in it; ``chunks`` is how many a whole body is cut into."""
    if not (script.silence or script.early_end or script.garbage or script.late_error):
        return plan
    positional = script.early_end or script.garbage or (script.silence and script.silence.after_chunks)
    if positional and not plan.streams:
        plan = _in_parts(plan, chunks)
    if script.late_error:
        plan = _with_error(plan, script.late_error)
    if script.garbage:
        plan = _with_garbage(plan, script.garbage)
    if script.silence:
        plan = _with_silence(plan, script.silence)
    return _cut(plan, script.early_end) if script.early_end else plan


def _in_parts(plan: Plan, chunks: int) -> Plan:
    body = plan.steps[0].data
    count = max(1, min(chunks, len(body)))
    edges = [len(body) * edge // count for edge in range(count + 1)]
    return _with_steps(plan, [Step(0.0, body[start:end]) for start, end in pairwise(edges)])


def _with_error(plan: Plan, late: Break) -> Plan:
    body = error_body(late.message, late.type, code=late.code)
    if not plan.streams:
        return _with_steps(plan, [Step(0.0, body)])
    return _with_steps(plan, [*plan.steps[: late.after_chunks], Step(0.0, b"data: " + body + b"\n\n")])


def _with_garbage(plan: Plan, malformed: Malformed) -> Plan:
    at = malformed.after_chunks
    if plan.streams:
        return _with_steps(plan, [*plan.steps[:at], Step(0.0, _STREAM_GARBAGE[malformed.kind]), *plan.steps[at:]])
    garbage = Step(0.0, _BODY_GARBAGE[malformed.kind])
    if malformed.kind == "html":
        others = [(name, value) for name, value in plan.headers if name != "content-type"]
        return msgspec.structs.replace(plan, headers=[*others, ("content-type", "text/html")], steps=[garbage])
    return _with_steps(plan, [*plan.steps[:at], garbage, *plan.steps[at:]])


def _with_silence(plan: Plan, stall: Stall) -> Plan:
    at = stall.after_chunks
    if at == 0:
        return msgspec.structs.replace(plan, delay_s=plan.delay_s + stall.seconds)
    if at >= len(plan.steps):
        return plan
    step = plan.steps[at]
    return _with_steps(plan, [*plan.steps[:at], Step(step.delay_s + stall.seconds, step.data), *plan.steps[at + 1 :]])


def _cut(plan: Plan, cut: Cut) -> Plan:
    if cut.after_chunks >= len(plan.steps):
        return plan
    kept = plan.steps[: cut.after_chunks]
    if cut.how == "end":
        return _with_steps(plan, kept)
    return msgspec.structs.replace(plan, steps=kept, closes=True, announced=plan.size)


def _with_steps(plan: Plan, steps: list[Step]) -> Plan:
    return msgspec.structs.replace(plan, steps=steps)


def as_json(status: int, headers: Headers, body: bytes) -> Plan:
    """A JSON answer, in one."""
    return Plan(status=status, headers=[*headers, ("content-type", JSON)], steps=[Step(0.0, body)])
