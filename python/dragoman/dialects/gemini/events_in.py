"""Reads a stream of partial answers.

Each chunk is some parts more; a reason to finish and the usage so far may come with any, and the last ones count. There
is no end but the body's, so what finishes a candidate is said then.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Block,
    BlockStarted,
    BlockStopped,
    Cited,
    Delta,
    Event,
    Failed,
    Finished,
    Json,
    Metered,
    Opaque,
    Proved,
    Reasoning,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.gemini.answer import call_id
from dragoman.dialects.gemini.errors import report_of
from dragoman.dialects.gemini.extras import read_citations, read_logprobs
from dragoman.dialects.gemini.parts import NAME, read_content
from dragoman.dialects.gemini.stops import read_stop
from dragoman.dialects.gemini.usage import read_usage
from dragoman.dialects.lenient import list_of, text_of

_decode = msgspec.json.decode
# Fields of a candidate that have a word of their own elsewhere.
_TOLD = frozenset({"content", "finishReason", "index", "logprobsResult"})


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.response_id = ""
        self.started = False
        self.done = False
        self.usage: Usage | None = None
        self.blocked = ""
        self.candidates: dict[int, _Candidate] = {}

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some chunks."""
        events: list[Event] = []
        for _, data in frames:
            if self.done:
                break
            try:
                chunk: Any = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"A chunk is not JSON: {error}.") from None
            if type(chunk) is list and chunk:
                chunk = chunk[0]
            if type(chunk) is not dict:
                raise Unreadable("A chunk is not an object.")
            if "error" in chunk:
                self.done = True
                events.append(Failed(report=report_of(chunk)))
            else:
                self._chunk(chunk, events)
        return events

    def finish(self) -> list[Event]:
        """The end of the body, where every candidate has its reason."""
        if self.done:
            return []
        events: list[Event] = []
        if self.blocked and not self.candidates:
            events.append(Finished(stop="filter", native_stop=self.blocked))
        elif not self.candidates or any(not one.reason for one in self.candidates.values()):
            raise Unreadable("The stream ended before its end.")
        for number, candidate in self.candidates.items():
            candidate.end(number, events)
        if self.usage is not None:
            events.append(Metered(usage=self.usage))
        return events

    def _chunk(self, chunk: Json, events: list[Event]) -> None:
        self.usage = read_usage(chunk.get("usageMetadata")) or self.usage
        if not self.started:
            self.started = True
            self.response_id = text_of(chunk, "responseId")
            self.model = text_of(chunk, "modelVersion") or self.model
            events.append(Started(dialect=NAME, id=self.response_id, model=self.model))
        feedback = chunk.get("promptFeedback")
        if type(feedback) is dict:
            self.blocked = text_of(feedback, "blockReason") or self.blocked
        for raw in list_of(chunk, "candidates"):
            if type(raw) is not dict:
                raise Unreadable("A candidate is not an object.", "candidates")
            number = raw.get("index")
            number = number if type(number) is int else 0
            candidate = self.candidates.get(number)
            if candidate is None:
                candidate = self.candidates[number] = _Candidate(self)
            candidate.take(raw, number, events)


class _Candidate:
    """One candidate: which block is open, and what has been said of its end."""

    def __init__(self, reader: EventReader) -> None:
        self.reader = reader
        self.kind: type[Block] | None = None  # of the open block
        self.index = -1
        self.calls = 0
        self.reason = ""
        self.text = ""
        self.extra: Json = {}
        self.said = False

    def take(self, raw: Json, number: int, events: list[Event]) -> None:
        """Take a chunk's part of this candidate."""
        logprobs = read_logprobs(raw) if "logprobsResult" in raw else None
        for block in read_content(raw.get("content"), "content", self.reader.model):
            self._block(block, number, logprobs, events)
            logprobs = None
        self.reason = text_of(raw, "finishReason") or self.reason
        for name, value in raw.items():
            if name not in _TOLD and value is not None:
                self.extra[name] = value

    def _block(self, block: Block, number: int, logprobs: Json | None, events: list[Event]) -> None:
        if isinstance(block, Text | Reasoning):
            if not block.text and block.proof is None:
                return
            kind = type(block)
            if self.kind is not kind:
                self._close(number, events)
                self._open(Reasoning(summary=True) if kind is Reasoning else Text(text=""), number, events)
            if block.text:
                events.append(Delta(index=self.index, text=block.text, choice=number, logprobs=logprobs))
                self.text += block.text if kind is Text else ""
            if block.proof is not None:
                events.append(Proved(index=self.index, proof=block.proof, choice=number))
                self._close(number, events)  # a signed part is never joined to another
            return
        self._close(number, events)
        if isinstance(block, ToolCall):
            made_up = {} if block.id else {"_id": True}
            given = block.id or call_id(self.reader.response_id, self.calls)
            self.calls += 1
            arguments = block.arguments
            self._open(replace(block, id=given, arguments="", extra={**block.extra, **made_up}), number, events)
            events.append(Delta(index=self.index, text=arguments or "{}", choice=number))
        else:
            self._open(block, number, events)
        self._close(number, events)

    def _open(self, block: Block, number: int, events: list[Event]) -> None:
        self.kind = type(block)
        self.index += 1
        self.said = self.said or not isinstance(block, Opaque)
        events.append(BlockStarted(index=self.index, block=block, choice=number))

    def _close(self, number: int, events: list[Event]) -> None:
        if self.kind is not None:
            self.kind = None
            events.append(BlockStopped(index=self.index, choice=number))

    def end(self, number: int, events: list[Event]) -> None:
        """Say what is known only now, and finish."""
        citations = read_citations(self.extra, self.text)
        if citations and self.kind is Text:
            events += [Cited(index=self.index, citation=citation, choice=number) for citation in citations]
        self._close(number, events)
        stop = read_stop(self.reason, called=self.calls > 0)
        events.append(Finished(stop=stop, native_stop=self.reason, choice=number, extra=self.extra))
