"""Whether guardrails see everything: poison put into every place of every dialect, in requests and in answers.

Found out by doing it, as the gateway does it: a request is written in the dialect, its value hidden, read and looked
at; an answer is read from the dialect, whole and as a stream that comes sign by sign, looked at, written, and shown. A
place is ``covered`` where the poison was refused and the hidden value neither left nor was lost on its way back, and a
``hole`` where not; ``none`` where the dialect has no such place. What cannot be looked into is ``refused`` as a whole.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from dragoman.access.principal import ANONYMOUS
from dragoman.config.guards import Guardrail, Mask, Words
from dragoman.config.schema import Config
from dragoman.core import EventStreamReader, SseReader
from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    BlockStopped,
    Choice,
    Delta,
    Event,
    Finished,
    Message,
    Metered,
    Reasoning,
    Request,
    Started,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from dragoman.dialects.dialect import Asked, Dialect, Frame, Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.matrix import target_of
from dragoman.dialects.table import DIALECTS
from dragoman.errors import GuardrailBlocked
from dragoman.guardrails import passages
from dragoman.guardrails.build import build_guardrails
from dragoman.guardrails.guarding import Guarding
from dragoman.guardrails.heard import Heard
from dragoman.guardrails.verdict import Passage

Covered = Literal["covered", "hole", "none", "refused"]

POISON = "thallium"
MOST = 1 << 20
HIDDEN = "ann.lee@example.com"
SAID = f"{POISON} for {HIDDEN}"
_CONFIG = Config(
    guardrails={
        "hidden": Guardrail(mask=Mask()),
        "poison": Guardrail(words=Words(deny=(POISON,))),
    }
)
_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
_ASKED = Request(dialect="", model="m", messages=(Message(role="user", blocks=(Text(text="Hi"),)),), max_tokens=99)
_ARGUMENTS = msgspec.json.encode({"text": SAID}).decode()
_CALL = ToolCall(id="call_123456", name="tool", arguments='{"text":"x"}')
_TOOL = Tool(name="tool", description="A tool.", parameters=_SCHEMA)


def _with(*messages: Message) -> Request:
    return replace(_ASKED, messages=(*_ASKED.messages, *messages), tools=(_TOOL,))


def _returned(*content: Text) -> tuple[Message, Message]:
    result = ToolResult(call_id=_CALL.id, content=content)
    return Message(role="assistant", blocks=(_CALL,)), Message(role="tool", blocks=(result,))


REQUESTS: dict[str, Request] = {
    "system": replace(_ASKED, messages=(Message(role="system", top=True, blocks=(Text(text=SAID),)), *_ASKED.messages)),
    "user": replace(_ASKED, messages=(Message(role="user", blocks=(Text(text=SAID),)),)),
    "user, a second part": replace(
        _ASKED, messages=(Message(role="user", blocks=(Text(text="Hi. "), Text(text=SAID))),)
    ),
    "an earlier answer": _with(
        Message(role="assistant", blocks=(Text(text=SAID),)), Message(role="user", blocks=(Text(text="So?"),))
    ),
    "tool call": _with(
        Message(role="assistant", blocks=(replace(_CALL, arguments=_ARGUMENTS),)), _returned(Text(text="x"))[1]
    ),
    "tool result": _with(*_returned(Text(text=SAID))),
    "tool description": replace(_ASKED, tools=(replace(_TOOL, description=SAID),)),
    "tool schema": replace(_ASKED, tools=(replace(_TOOL, parameters={**_SCHEMA, "description": SAID}),)),
}
ANSWERS: dict[str, Text | Reasoning | ToolCall] = {
    "text": Text(text=SAID),
    "reasoning": Reasoning(text=SAID),
    "tool call": replace(_CALL, arguments=_ARGUMENTS),
}
# What is no dialect's, and what becomes of it where a guardrail is for it.
OTHERS: dict[str, Covered] = {
    "completions": "covered",
    "completions, streamed": "refused",
    "embeddings": "covered",
    "rerank": "covered",
    "passed through: JSON": "covered",
    "passed through: answers that are text": "covered",
    "passed through: anything else": "refused",
}


def coverage() -> dict[str, dict[str, Covered]]:
    """Of each dialect every place in requests, and every place in answers, whole and streamed."""
    told: dict[str, dict[str, Covered]] = {}
    for name, dialect in DIALECTS.items():
        places: dict[str, Covered] = {}
        for place, request in REQUESTS.items():
            places[f"request: {place}"] = asked(dialect, request)
        for place, block in ANSWERS.items():
            places[f"answer: {place}"] = answered(dialect, block)
            places[f"stream: {place}"] = streamed(dialect, block)
            places[f"stream, as others are shown it: {place}"] = shown(dialect, block)
        told[name] = places
    return told


def _begin() -> Guarding:
    guarding = build_guardrails(_CONFIG).begin(ANONYMOUS, "m", b"pepper")
    assert guarding is not None  # noqa: S101 - the configuration above has guardrails for everybody
    return guarding


def _target(dialect: Dialect) -> Target:
    return target_of(dialect.name)


def asked(dialect: Dialect, request: Request) -> Covered:
    """What becomes of a request."""
    outgoing = dialect.write_request(request, _target(dialect), Losses())
    if POISON.encode() not in outgoing.body:
        return "none"
    guarding = _begin()
    sent = guarding.hide(outgoing.body)
    try:
        read = dialect.read_request(sent, Path(model="m"))
        guarding.check_sent(sent)
        guarding.check_input(passages.of_request(read))
    except GuardrailBlocked as blocked:
        return "covered" if blocked.guardrail == "poison" and HIDDEN.encode() not in sent else "hole"
    except Unreadable:
        return "hole"
    return "hole"


def _hidden() -> tuple[Guarding, str]:
    """A request that said the value, and what stands for it."""
    guarding = _begin()
    body = guarding.hide(msgspec.json.encode({"text": HIDDEN}))
    return guarding, str(msgspec.json.decode(body)["text"])


def answered(dialect: Dialect, block: Text | Reasoning | ToolCall) -> Covered:
    """What becomes of a whole answer of that dialect, for a client of it."""
    about = Asked(request=_ASKED, request_id="req_1", created_s=1)
    guarding, placeholder = _hidden()
    written = dialect.write_answer(_answer("", _saying(block, placeholder)), about)
    if placeholder.encode() not in written:
        return "none"
    shown = guarding.shown(dialect.write_answer(guarding.answer(_read(dialect, written)), about))
    poisoned = dialect.write_answer(_answer("", block), about)
    refused = dialect.write_answer(_begin().answer(_read(dialect, poisoned)), about)
    return "covered" if HIDDEN.encode() in shown and POISON.encode() not in refused else "hole"


def _saying(block: Text | Reasoning | ToolCall, placeholder: str) -> Text | Reasoning | ToolCall:
    """The same block, harmless, with what stands for the hidden value."""
    if isinstance(block, ToolCall):
        return replace(block, arguments=msgspec.json.encode({"text": placeholder}).decode())
    return replace(block, text=f"to {placeholder}.")


def _answer(dialect: str, block: Text | Reasoning | ToolCall) -> Answer:
    blocks = (block,) if not isinstance(block, Reasoning) else (block, Text(text="So."))
    stop: Literal["tool_calls", "stop"] = "tool_calls" if isinstance(block, ToolCall) else "stop"
    choice = Choice(blocks=blocks, stop=stop)
    return Answer(dialect=dialect, id="1", model="m", choices=(choice,), usage=Usage(input=1, output=1))


def _read(dialect: Dialect, written: bytes) -> Answer:
    return dialect.read_answer(written, _target(dialect))


def streamed(dialect: Dialect, block: Text | Reasoning | ToolCall) -> Covered:
    """What becomes of a stream of that dialect that comes sign by sign."""
    guarding, placeholder = _hidden()
    harmless = _read_stream(dialect, _saying(block, placeholder))
    if not any(placeholder in event.text for event in harmless if type(event) is Delta):
        return "none"
    shown = _told(guarding, harmless)
    refused = _told(_begin(), _read_stream(dialect, block))
    return "covered" if HIDDEN in shown and not any(POISON[:size] in refused for size in (4, len(POISON))) else "hole"


def shown(dialect: Dialect, block: Text | Reasoning | ToolCall) -> Covered:
    """Whether those who are called out are shown the poison of a stream: held, and window by window."""
    whole, windows = Heard(), Heard()
    seen: list[Passage] = []
    for event in _read_stream(dialect, block):
        for piece in _signs(event):
            whole.note(piece)
            windows.note(piece)
            seen += windows.window()
    if not any(POISON in event.text for event in _read_stream(dialect, block) if type(event) is Delta):
        return "none"
    place = "tool_arguments" if isinstance(block, ToolCall) else "output"
    found = ([one for one in told if POISON in one.text and one.place == place] for told in (whole.passages, seen))
    return "covered" if all(found) else "hole"


def _signs(event: Event) -> list[Event]:
    """An event, in pieces of one sign."""
    return [replace(event, text=sign) for sign in event.text] if type(event) is Delta else [event]


def _read_stream(dialect: Dialect, block: Text | Reasoning | ToolCall) -> list[Event]:
    """A stream, written as a provider of the dialect would, and read."""
    writer = dialect.writer(Asked(request=_ASKED, request_id="req_1", created_s=1))
    wire = writer.write(_events(block)) + writer.finish()
    reader = dialect.reader(_target(dialect))
    return reader.read(frames(dialect, wire)) + reader.finish()


def _events(block: Text | Reasoning | ToolCall) -> list[Event]:
    empty = replace(block, arguments="") if isinstance(block, ToolCall) else replace(block, text="")
    said = block.arguments if isinstance(block, ToolCall) else block.text
    stop: Literal["tool_calls", "stop"] = "tool_calls" if isinstance(block, ToolCall) else "stop"
    return [
        Started(dialect="", id="1", model="m"),
        BlockStarted(index=0, block=empty),
        Delta(index=0, text=said),
        BlockStopped(index=0),
        Finished(stop=stop),
        Metered(usage=Usage(input=1, output=1)),
    ]


def frames(dialect: Dialect, wire: bytes) -> list[Frame]:
    """The events of a whole stream, cut as the upstream client cuts them."""
    if dialect.framing == "ndjson":
        return [("", line) for line in wire.splitlines() if line]
    if dialect.framing == "eventstream":
        return EventStreamReader(MOST).feed(wire)
    return [(event.event or "", event.data) for event in SseReader(MOST).feed(wire)]


def _told(guarding: Guarding, events: list[Event]) -> str:
    """What a client is told of a stream, whose texts come sign by sign."""
    outgoing = guarding.stream(lambda: _ASKED)
    told = ""
    for event in events:
        for piece in _signs(event):
            told += "".join(one.text for one in outgoing.events([piece]) if type(one) is Delta)
    return told
