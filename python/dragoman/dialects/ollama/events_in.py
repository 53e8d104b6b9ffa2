"""Reads a stream: a line is a piece of the message, and the last one says that it is."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Block,
    BlockStarted,
    BlockStopped,
    Delta,
    Event,
    Failed,
    Finished,
    Image,
    Json,
    Metered,
    Reasoning,
    Report,
    Started,
    Text,
    ToolCall,
)
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.lenient import text_of
from dragoman.dialects.ollama.answer import numbered
from dragoman.dialects.ollama.content import NAME, read_blocks
from dragoman.dialects.ollama.counts import read_counts, read_stop

_decode = msgspec.json.decode


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.created = ""
        self.index = -1
        self.block: Block | None = None
        self.calls = 0
        self.started = False
        self.finished = False

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some frames."""
        events: list[Event] = []
        for _, data in frames:
            if not data.strip():
                continue
            try:
                line: Any = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"A line is not JSON: {error}.") from None
            if type(line) is not dict:
                raise Unreadable("A line is not an object.")
            self._line(line, events)
        return events

    def finish(self) -> list[Event]:
        """A good stream has said that it is done."""
        if not self.finished:
            raise Unreadable("The stream ended before its end.")
        return []

    def _line(self, line: Json, events: list[Event]) -> None:
        if "error" in line:
            message = text_of(line, "error") or "an error without words"
            events.append(Failed(report=Report(trouble="server", message=message, status=502)))
            return
        if not self.started:
            self.started, self.created = True, text_of(line, "created_at")
            events.append(Started(dialect=NAME, model=text_of(line, "model") or self.model))
        piece: Any = line.get("message")
        if type(piece) is dict:
            for block in numbered(read_blocks(Fields(piece, "message")), self.created, self.calls):
                self._piece(block, events)
        if line.get("done") is True:
            self._close(events)
            usage = read_counts(line)
            self.finished = True
            native = text_of(line, "done_reason")
            events.append(Finished(stop=read_stop(line, called=self.calls > 0), native_stop=native))
            if usage is not None:
                events.append(Metered(usage=usage))

    def _piece(self, block: Block, events: list[Event]) -> None:
        if isinstance(block, Text | Reasoning):
            if type(block) is not type(self.block):
                self._open(replace(block, text=""), events)
            events.append(Delta(index=self.index, text=block.text))
        elif isinstance(block, ToolCall):
            self.calls += 1
            self._open(replace(block, arguments=""), events)
            events.append(Delta(index=self.index, text=block.arguments))
            self._close(events)
        elif isinstance(block, Image):
            self._open(block, events)
            self._close(events)

    def _open(self, block: Block, events: list[Event]) -> None:
        self._close(events)
        self.block = block
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block))

    def _close(self, events: list[Event]) -> None:
        if self.block is not None:
            self.block = None
            events.append(BlockStopped(index=self.index))
