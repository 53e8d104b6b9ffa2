"""Writes a stream. A call's arguments are an object here, so a call is told when it is whole."""

from __future__ import annotations

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
    Json,
    Metered,
    Reasoning,
    Report,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.dialect import Asked
from dragoman.dialects.ollama.answer import told_here
from dragoman.dialects.ollama.content import NAME, write_message
from dragoman.dialects.ollama.counts import last_line, moment

_encode = msgspec.json.encode


class EventWriter:
    """One stream. Of several choices the first is told: the dialect has no others."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.model = asked.request.model
        self.own = False
        self.block: Block | None = None
        self.arguments: list[str] = []
        self.usage: Usage | None = None
        self.finished: Finished | None = None

    def write(self, events: list[Event]) -> bytes:
        """The lines of some events."""
        written: list[bytes] = []
        for event in events:
            if getattr(event, "choice", 0) == 0:
                self._event(event, written)
        return b"".join(written)

    def finish(self) -> bytes:
        """The line that says why it stopped, and what it came to."""
        finished = self.finished or Finished(stop="stop")
        own = self.usage.extra if self.own and self.usage is not None else None
        last = last_line(finished.stop, self.usage, own)
        return self._line({"message": {"role": "assistant", "content": ""}} | last)

    def fail(self, report: Report) -> bytes:
        """A line that says what went wrong."""
        return _encode({"error": report.message}) + b"\n"

    def ping(self) -> bytes:
        """A line that says nothing: there are no comments, and an empty one is not JSON."""
        return self._message([])

    def _event(self, event: Event, written: list[bytes]) -> None:
        if isinstance(event, Started):
            self.own, self.model = event.dialect == NAME, event.model or self.model
        elif isinstance(event, BlockStarted):
            self._begin(event.block, written)
        elif isinstance(event, Delta):
            self._delta(event.text, written)
        elif isinstance(event, BlockStopped):
            if isinstance(self.block, ToolCall):
                written.append(self._message([replace(self.block, arguments="".join(self.arguments))]))
            self.block, self.arguments = None, []
        elif isinstance(event, Metered):
            self.usage = event.usage
        elif isinstance(event, Finished):
            self.finished = event
        elif isinstance(event, Failed):
            written.append(self.fail(event.report))

    def _begin(self, block: Block, written: list[bytes]) -> None:
        self.block = block
        if isinstance(block, ToolCall):
            self.arguments = [block.arguments]
            return
        told = told_here(block)
        if told is not None and not (isinstance(told, Text | Reasoning) and not told.text):
            written.append(self._message([told]))

    def _delta(self, text: str, written: list[bytes]) -> None:
        if isinstance(self.block, ToolCall):
            self.arguments.append(text)
        elif isinstance(self.block, Reasoning):
            written.append(self._message([Reasoning(text=text)]))
        elif text:
            written.append(self._message([Text(text=text)]))

    def _message(self, blocks: list[Block]) -> bytes:
        return self._line({"message": write_message("assistant", blocks), "done": False})

    def _line(self, told: Json) -> bytes:
        return _encode({"model": self.model, "created_at": moment(self.asked.created_s), **told}) + b"\n"
