"""Writes a stream."""

from __future__ import annotations

import msgspec

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
    Passed,
    Reasoning,
    Refusal,
    Report,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.cohere.answer import told_here
from dragoman.dialects.cohere.content import NAME, PLAN, write_call, write_citation
from dragoman.dialects.cohere.stops import reason_of
from dragoman.dialects.cohere.usage import write_usage
from dragoman.dialects.dialect import Asked

_encode = msgspec.json.encode


class EventWriter:
    """One stream. Of several choices the first is told: the dialect has no others."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.own = False
        self.index = -1  # of the open or latest block, as it is written
        self.block: Block | None = None
        self.citations = 0
        self.usage: Usage | None = None
        self.finished: Finished | None = None

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        written: list[bytes] = []
        for event in events:
            if type(event) is Delta:
                if event.choice == 0 and self.block is not None:
                    written.append(self._delta(event.text))
            elif isinstance(event, Metered):
                self.usage = event.usage
            elif getattr(event, "choice", 0) == 0:
                written += self._other(event)
        return b"".join(written)

    def finish(self) -> bytes:
        """Why it stopped, and what it came to."""
        finished = self.finished or Finished(stop="stop")
        delta: Json = {"finish_reason": reason_of(finished.stop, finished.native_stop)}
        if self.usage is not None:
            delta["usage"] = write_usage(self.usage, own=self.own)
        return self._event("message-end", {"delta": delta}) + b"data: [DONE]\n\n"

    def fail(self, report: Report) -> bytes:
        """An end that says what went wrong."""
        delta = {"finish_reason": "ERROR", "error": report.message}
        return self._event("message-end", {"delta": delta}) + b"data: [DONE]\n\n"

    def ping(self) -> bytes:
        """A comment."""
        return b": ping\n\n"

    def _event(self, kind: str, told: Json) -> bytes:
        return b"event: " + kind.encode() + b"\ndata: " + _encode({"type": kind, **told}) + b"\n\n"

    def _told(self, kind: str, message: Json) -> bytes:
        return self._event(kind, {"index": max(self.index, 0), "delta": {"message": message}})

    def _other(self, event: Event) -> list[bytes]:
        if isinstance(event, BlockStarted):
            return self._begin(event.block)
        if isinstance(event, BlockStopped):
            return self._end()
        if isinstance(event, Started):
            self.own = event.dialect == NAME
            named = event.id if self.own and event.id else self.asked.request_id
            return [self._event("message-start", {"id": named, "delta": {"message": {"role": "assistant"}}})]
        if isinstance(event, Finished):
            self.finished = event
        elif isinstance(event, Failed):
            return [self.fail(event.report)]
        elif isinstance(event, Cited):
            return self._cite(event.citation)
        elif isinstance(event, Passed) and event.dialect == NAME:
            return [self._event(event.type, event.raw)]
        return []

    def _begin(self, block: Block) -> list[bytes]:
        self.block = block
        if isinstance(block, Text) and PLAN in block.extra:
            return [self._delta(block.text)] if block.text else []
        if isinstance(block, ToolCall):
            self.index += 1
            call = write_call(block)
            call["function"]["arguments"] = ""
            return [self._told("tool-call-start", {"tool_calls": call})]
        if isinstance(block, Text | Refusal | Reasoning):
            self.index += 1
            kind = "thinking" if isinstance(block, Reasoning) else "text"
            begun = self._told("content-start", {"content": {"type": kind, kind: ""}})
            return [begun, self._delta(block.text)] if block.text else [begun]
        self.block = None
        told = told_here(block, called=False)
        if not isinstance(told, Text):
            return []
        written = self._begin(Text(text=""))
        return [*written, self._delta(told.text), *self._end()]

    def _delta(self, text: str) -> bytes:
        if isinstance(self.block, ToolCall):
            return self._told("tool-call-delta", {"tool_calls": {"function": {"arguments": text}}})
        if isinstance(self.block, Text) and PLAN in self.block.extra:
            return self._told("tool-plan-delta", {"tool_plan": text})
        kind = "thinking" if isinstance(self.block, Reasoning) else "text"
        return self._told("content-delta", {"content": {kind: text}})

    def _end(self) -> list[bytes]:
        block, self.block = self.block, None
        if block is None or (isinstance(block, Text) and PLAN in block.extra):
            return []
        return [self._event("tool-call-end" if isinstance(block, ToolCall) else "content-end", {"index": self.index})]

    def _cite(self, citation: Citation) -> list[bytes]:
        number, self.citations = self.citations, self.citations + 1
        told = {"index": number, "delta": {"message": {"citations": write_citation(citation)}}}
        return [self._event("citation-start", told), self._event("citation-end", {"index": number})]
