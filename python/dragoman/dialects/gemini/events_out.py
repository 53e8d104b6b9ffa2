"""Writes a stream of partial answers: as server-sent events, or as a JSON array for clients that ask for no events."""

from __future__ import annotations

import msgspec

from dragoman.dialects.canonical import (
    Audio,
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
    Proof,
    Proved,
    Reasoning,
    Refusal,
    Report,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.dialect import Asked
from dragoman.dialects.gemini.answer import own_answer_part, write_part
from dragoman.dialects.gemini.contents import signature_of
from dragoman.dialects.gemini.errors import error_json
from dragoman.dialects.gemini.extras import write_citations, write_logprobs
from dragoman.dialects.gemini.parts import NAME
from dragoman.dialects.gemini.stops import reason_of
from dragoman.dialects.gemini.usage import write_usage

_encode = msgspec.json.encode


class EventWriter:
    """One stream. Calls are told whole, as the dialect has it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.own = False
        self.about: Json = {}  # of every chunk
        self.usage: Usage | None = None
        self.open: dict[int, _Open] = {}
        self.finished: list[Finished] = []

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        return b"".join(self.chunk(chunk) for event in events for chunk in self._event(event))

    def chunk(self, chunk: Json) -> bytes:
        """One chunk as bytes."""
        return b"data: " + _encode(chunk) + b"\r\n\r\n"

    def finish(self) -> bytes:
        """Why the candidates stopped, and what it all came to."""
        chunk: Json = {"candidates": [self._last(one) for one in self.finished], **self.about}
        if self.usage is not None:
            chunk["usageMetadata"] = write_usage(self.usage, own=self.own)
        return self.chunk(chunk)

    def fail(self, report: Report) -> bytes:
        """An error, which the SDK raises."""
        return self.chunk(error_json(report))

    def ping(self) -> bytes:
        """An empty line: the vendor's SDK takes a comment for data."""
        return b"\r\n"

    def _event(self, event: Event) -> list[Json]:
        if type(event) is Delta:
            return self._delta(event)
        if isinstance(event, BlockStarted):
            return self._begin(event.choice, event.block)
        if isinstance(event, BlockStopped):
            return self._end(event.choice)
        if isinstance(event, Started):
            self.own = event.dialect == NAME
            named = event.id if self.own and event.id else self.asked.request_id
            self.about = {"modelVersion": event.model, "responseId": named}
        elif isinstance(event, Metered):
            self.usage = event.usage
        elif isinstance(event, Finished):
            self.finished.append(event)
        elif isinstance(event, Failed):
            return [error_json(event.report)]
        elif isinstance(event, Proved):
            return self._prove(event.choice, event.proof)
        elif isinstance(event, Cited):
            self._choice(event.choice).citations.append(event.citation)
        return []

    def _choice(self, number: int) -> _Open:
        found = self.open.get(number)
        if found is None:
            found = self.open[number] = _Open()
        return found

    def _parts(self, number: int, parts: list[Json], beside: Json | None = None) -> list[Json]:
        if not parts:
            return []
        candidate: Json = {"content": {"role": "model", "parts": parts}, "index": number, **(beside or {})}
        return [{"candidates": [candidate], **self.about}]

    def _delta(self, event: Delta) -> list[Json]:
        choice = self._choice(event.choice)
        if isinstance(choice.block, ToolCall | Audio):
            choice.pieces.append(event.text)
            choice.data += event.data or ""
            return []
        part: Json = {"text": event.text}
        if isinstance(choice.block, Reasoning):
            part["thought"] = True
        else:
            choice.text += event.text
        beside = {} if event.logprobs is None else {"logprobsResult": write_logprobs(event.logprobs)}
        return self._parts(event.choice, [part], beside)

    def _begin(self, number: int, block: Block) -> list[Json]:
        choice = self._choice(number)
        choice.block, choice.pieces, choice.data = block, [], ""
        if isinstance(block, ToolCall | Audio):
            choice.proof = getattr(block, "proof", None)
            return []
        if isinstance(block, Reasoning) and block.proof is not None:
            signed = {"text": block.text, "thought": True, "thoughtSignature": signature_of(block.proof)}
            return self._parts(number, [signed])
        if isinstance(block, Text | Refusal | Reasoning):
            return self._parts(number, write_part(block)) if block.text else []
        return self._parts(number, [own_answer_part(block)] if self.own else write_part(block))

    def _prove(self, number: int, proof: Proof) -> list[Json]:
        choice = self._choice(number)
        if isinstance(choice.block, ToolCall):
            choice.proof = proof
            return []
        part: Json = {"text": "", "thoughtSignature": signature_of(proof)}
        if isinstance(choice.block, Reasoning):
            part["thought"] = True
        return self._parts(number, [part])

    def _end(self, number: int) -> list[Json]:
        choice = self._choice(number)
        block, choice.block = choice.block, None
        text = "".join(choice.pieces)
        if isinstance(block, ToolCall):
            whole = msgspec.structs.replace(block, arguments=text or block.arguments, proof=choice.proof)
            return self._parts(number, [own_answer_part(whole)] if self.own else write_part(whole))
        if isinstance(block, Audio) and choice.data:
            kind = block.source.media_type or f"audio/{block.format or 'pcm'}"
            return self._parts(number, [{"inlineData": {"mimeType": kind, "data": choice.data}}])
        return self._parts(number, [{"text": text}] if isinstance(block, Audio) and text else [])

    def _last(self, event: Finished) -> Json:
        choice = self._choice(event.choice)
        candidate: Json = {
            "content": {"role": "model", "parts": [{"text": ""}]},
            "finishReason": reason_of(event.stop, event.native_stop),
            "index": event.choice,
            **(event.extra if self.own else {}),
        }
        grounding = write_citations(choice.text, choice.citations)
        if grounding is not None and "groundingMetadata" not in candidate:
            candidate["groundingMetadata"] = grounding
        return candidate


class ArrayWriter(EventWriter):
    """The same as one array of JSON, for ``streamGenerateContent`` without ``alt=sse``."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.any = False

    def chunk(self, chunk: Json) -> bytes:
        """One item of the array."""
        before = b",\r\n" if self.any else b"["
        self.any = True
        return before + _encode(chunk)

    def finish(self) -> bytes:
        """The last item, and the end of the array."""
        return super().finish() + b"]"

    def fail(self, report: Report) -> bytes:
        """The error as the last item."""
        return super().fail(report) + b"]"

    def ping(self) -> bytes:
        """White space."""
        return b"\n" if self.any else b""


class _Open:
    """The open block of one candidate."""

    __slots__ = ("block", "citations", "data", "pieces", "proof", "text")

    def __init__(self) -> None:
        self.block: Block | None = None
        self.pieces: list[str] = []
        self.data = ""
        self.proof: Proof | None = None
        self.text = ""
        self.citations: list[Citation] = []
