"""Reads a stream: every event has a name, which its data repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Block,
    BlockStarted,
    BlockStopped,
    Cited,
    Delta,
    Event,
    Finished,
    Json,
    Metered,
    Passed,
    Reasoning,
    Started,
    Text,
    ToolCall,
)
from dragoman.dialects.cohere.content import NAME, PLAN, read_citation
from dragoman.dialects.cohere.stops import read_stop
from dragoman.dialects.cohere.usage import read_usage
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.lenient import text_of

_decode = msgspec.json.decode


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.index = -1
        self.block: Block | None = None
        self.called = False
        self.finished = False

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some frames."""
        events: list[Event] = []
        for _, data in frames:
            if data == b"[DONE]":
                continue
            try:
                event: Any = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"An event is not JSON: {error}.") from None
            if type(event) is not dict:
                raise Unreadable("An event is not an object.")
            self._event(event, events)
        return events

    def finish(self) -> list[Event]:
        """A good stream has said why it stopped."""
        if not self.finished:
            raise Unreadable("The stream ended before its end.")
        return []

    def _event(self, event: Json, events: list[Event]) -> None:
        kind = text_of(event, "type")
        read = READERS.get(kind)
        if read is not None:
            read(self, event, events)
        elif kind != "citation-end":
            events.append(Passed(dialect=NAME, type=kind, raw=event))

    def _start(self, event: Json, events: list[Event]) -> None:
        events.append(Started(dialect=NAME, id=text_of(event, "id"), model=self.model))

    def _start_content(self, event: Json, events: list[Event]) -> None:
        thinks = text_of(_inside(event, "content"), "type") == "thinking"
        self._open(Reasoning() if thinks else Text(text=""), events)
        self._content(event, events)

    def _content(self, event: Json, events: list[Event]) -> None:
        content = _inside(event, "content")
        self._piece(text_of(content, "text") or text_of(content, "thinking"), events)

    def _plan(self, event: Json, events: list[Event]) -> None:
        if not (isinstance(self.block, Text) and PLAN in self.block.extra):
            self._open(Text(text="", extra={PLAN: True}), events)
        self._piece(text_of(_message(event), "tool_plan"), events)

    def _arguments(self, event: Json, events: list[Event]) -> None:
        function: Any = _inside(event, "tool_calls").get("function")
        if isinstance(self.block, ToolCall) and type(function) is dict:
            self._piece(text_of(function, "arguments"), events)

    def _cite(self, event: Json, events: list[Event]) -> None:
        if self.index >= 0:
            events.append(Cited(index=self.index, citation=read_citation(_inside(event, "citations"))))

    def _stop(self, event: Json, events: list[Event]) -> None:
        self._close(events)

    def _start_call(self, event: Json, events: list[Event]) -> None:
        call = _inside(event, "tool_calls")
        function: Any = call.get("function")
        function = function if type(function) is dict else {}
        self.called = True
        self._open(ToolCall(id=text_of(call, "id"), name=text_of(function, "name"), arguments=""), events)
        self._piece(text_of(function, "arguments"), events)

    def _end(self, event: Json, events: list[Event]) -> None:
        self._close(events)
        delta: Any = event.get("delta")
        delta = delta if type(delta) is dict else {}
        native = text_of(delta, "finish_reason")
        usage = read_usage(delta.get("usage"))
        self.finished = True
        events.append(Finished(stop=read_stop(native, called=self.called), native_stop=native))
        if usage is not None:
            events.append(Metered(usage=usage))

    def _piece(self, text: str, events: list[Event]) -> None:
        if text and self.block is None:
            self._open(Text(text=""), events)
        if text:
            events.append(Delta(index=self.index, text=text))

    def _open(self, block: Block, events: list[Event]) -> None:
        self._close(events)
        self.block = block
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block))

    def _close(self, events: list[Event]) -> None:
        if self.block is not None:
            self.block = None
            events.append(BlockStopped(index=self.index))


def _message(event: Json) -> Json:
    delta: Any = event.get("delta")
    message: Any = delta.get("message") if type(delta) is dict else None
    return message if type(message) is dict else {}


def _inside(event: Json, name: str) -> Json:
    """An object inside the message of a delta; empty where there is none."""
    value: Any = _message(event).get(name)
    return value if type(value) is dict else {}


READERS: dict[str, Callable[[EventReader, Json, list[Event]], None]] = {
    "message-start": EventReader._start,
    "content-start": EventReader._start_content,
    "content-delta": EventReader._content,
    "content-end": EventReader._stop,
    "tool-plan-delta": EventReader._plan,
    "tool-call-start": EventReader._start_call,
    "tool-call-delta": EventReader._arguments,
    "tool-call-end": EventReader._stop,
    "citation-start": EventReader._cite,
    "message-end": EventReader._end,
}
