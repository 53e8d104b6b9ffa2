"""Reads a stream of Messages events: the dialect whose blocks the canonical events follow."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.anthropic.blocks import NAME, read_block
from dragoman.dialects.anthropic.errors import report_of
from dragoman.dialects.anthropic.stops import STOPS
from dragoman.dialects.anthropic.usage import read_usage
from dragoman.dialects.canonical import (
    Block,
    BlockStarted,
    BlockStopped,
    Citation,
    Cited,
    Delta,
    Event,
    Failed,
    Finished,
    Json,
    Metered,
    Opaque,
    Passed,
    Proof,
    Proved,
    Reasoning,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.continuity import unseal
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.lenient import text_of

_decode = msgspec.json.decode
# Pieces of text, whatever of.
_PIECES = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.index = -1  # of the open or latest block
        self.block: Block | None = None
        self.usage: Usage | None = None
        self.finished = False
        self.done = False
        self.started = False

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some frames."""
        events: list[Event] = []
        for _, data in frames:
            if self.done:
                break
            try:
                event = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"An event is not JSON: {error}.") from None
            if type(event) is not dict:
                raise Unreadable("An event is not an object.")
            self._event(event, events)
        return events

    def finish(self) -> list[Event]:
        """A good stream has said why it stopped."""
        if not self.done and not self.finished:
            raise Unreadable("The stream ended before its end.")
        return []

    def _event(self, event: Json, events: list[Event]) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            self._delta(event.get("delta"), events)
        elif kind == "content_block_start":
            self._start_block(event.get("content_block"), events)
        elif kind == "content_block_stop":
            self._stop_block(events)
        elif kind == "message_start":
            self._start(event.get("message"), events)
        elif kind == "message_delta":
            self._end(event, events)
        elif kind == "message_stop":
            self.done = True
        elif kind == "error" or (kind is None and "error" in event):
            self.done = True
            events.append(Failed(report=report_of(event)))
        elif kind != "ping":
            events.append(Passed(dialect=NAME, type=str(kind), raw=event))

    def _start(self, message: Any, events: list[Event]) -> None:
        if type(message) is not dict:
            raise Unreadable("A message is not an object.", "message")
        if self.started:
            return
        self.started = True
        self.model = text_of(message, "model") or self.model
        self.usage = read_usage(message.get("usage"))
        events.append(Started(dialect=NAME, id=text_of(message, "id"), model=self.model, usage=self.usage))

    def _start_block(self, raw: Any, events: list[Event]) -> None:
        if type(raw) is not dict:
            raise Unreadable("A block is not an object.", "content_block")
        self._stop_block(events)
        block = read_block(Fields(raw, "content_block"), self.model)
        if isinstance(block, ToolCall):
            # Its input is told in pieces; what stands here is not part of it (edge case 17).
            block = ToolCall(id=block.id, name=block.name, arguments="", extra=block.extra)
        elif isinstance(block, Reasoning) and block.proof is not None and block.proof.kind == "signature":
            block = Reasoning(text="", extra=block.extra)
        text = block.text if isinstance(block, Text | Reasoning) else ""
        if isinstance(block, Text):
            block = Text(text="", extra=block.extra)
        self.block = block
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block))
        if text:
            events.append(Delta(index=self.index, text=text))

    def _delta(self, delta: Any, events: list[Event]) -> None:
        if type(delta) is not dict or self.block is None:
            raise Unreadable("A piece of no block.", "delta")
        kind = delta.get("type")
        if isinstance(self.block, Opaque):
            events.append(Passed(dialect=NAME, type=str(kind), raw=delta))
            return
        name = _PIECES.get(kind) if type(kind) is str else None
        if name is not None:
            text = delta.get(name)
            if type(text) is str and text:
                events.append(Delta(index=self.index, text=text))
        elif kind == "signature_delta":
            signature = text_of(delta, "signature")
            own = Proof(kind="signature", value=signature, family="anthropic", model=self.model)
            events.append(Proved(index=self.index, proof=unseal(signature, own)))
        elif kind == "citations_delta" and type(delta.get("citation")) is dict:
            raw: Json = delta["citation"]
            citation = Citation(
                url=text_of(raw, "url"),
                title=text_of(raw, "title") or text_of(raw, "document_title"),
                cited_text=text_of(raw, "cited_text"),
                extra={name: value for name, value in raw.items() if name != "url"},
            )
            events.append(Cited(index=self.index, citation=citation))
        else:
            events.append(Passed(dialect=NAME, type=str(kind), raw=delta))

    def _stop_block(self, events: list[Event]) -> None:
        if self.block is not None:
            self.block = None
            events.append(BlockStopped(index=self.index))

    def _end(self, event: Json, events: list[Event]) -> None:
        self._stop_block(events)
        told = event.get("delta")
        delta: Json = told if type(told) is dict else {}
        self.usage = read_usage(event.get("usage"), self.usage)
        native = text_of(delta, "stop_reason")
        if native and not self.finished:
            self.finished = True
            sequence = text_of(delta, "stop_sequence") or None
            details = delta.get("stop_details")
            extra = {"stop_details": details} if type(details) is dict else {}
            stop = STOPS.get(native, "stop")
            events.append(Finished(stop=stop, native_stop=native, stop_sequence=sequence, extra=extra))
        if self.usage is not None:
            events.append(Metered(usage=self.usage))
