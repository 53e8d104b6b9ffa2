"""Writes a ConverseStream, in AWS's binary messages."""

from __future__ import annotations

import msgspec

from dragoman.core import event_stream_message
from dragoman.dialects.bedrock.answer import sealed_thought, write_block
from dragoman.dialects.bedrock.blocks import CLAUDE, NAME, write_citation, write_reasoning
from dragoman.dialects.bedrock.errors import KINDS
from dragoman.dialects.bedrock.stops import reason_of
from dragoman.dialects.bedrock.usage import write_usage
from dragoman.dialects.canonical import (
    Audio,
    Block,
    BlockStarted,
    BlockStopped,
    Cited,
    Delta,
    Event,
    Failed,
    Finished,
    Image,
    Json,
    Metered,
    Passed,
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
from dragoman.dialects.continuity import seal
from dragoman.dialects.dialect import Asked
from dragoman.dialects.ids import fitted_id

_encode = msgspec.json.encode


class EventWriter:
    """One stream. Of several choices the first is told: the dialect has no others."""

    def __init__(self, asked: Asked) -> None:
        del asked  # the request's id is a header
        self.own = False
        self.index = -1  # of the open or latest block, as it is written
        self.block: Block | None = None
        self.spoke = False  # whether the open call has said any argument
        self.usage: Usage | None = None
        self.metadata: Json = {}
        self.finished = False

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        written: list[bytes] = []
        for event in events:
            if type(event) is Delta:
                if event.choice == 0:
                    written.append(self._delta(event.text))
            elif isinstance(event, Metered):
                self.usage = event.usage
            elif getattr(event, "choice", 0) == 0:
                written += self._other(event)
        return b"".join(written)

    def finish(self) -> bytes:
        """What it came to, which is said last."""
        stopped = b"" if self.finished else self._message("messageStop", {"stopReason": "end_turn"})
        told: Json = {"metrics": {"latencyMs": 0}, **self.metadata}
        if self.usage is not None or not self.own:  # the SDKs' users count on it
            told["usage"] = write_usage(self.usage or Usage(), own=self.own)
        return stopped + self._message("metadata", told)

    def fail(self, report: Report) -> bytes:
        """An exception, which the SDKs raise."""
        kind = KINDS[report.trouble][1]
        name = kind[0].lower() + kind[1:]
        return event_stream_message(name, _encode({"message": report.message}), exception=True)

    def ping(self) -> bytes:
        """Nothing: the framing has no sign of life."""
        return b""

    def _message(self, name: str, payload: Json) -> bytes:
        return event_stream_message(name, _encode(payload))

    def _other(self, event: Event) -> list[bytes]:
        if isinstance(event, BlockStarted):
            return self._begin(event.block)
        if isinstance(event, BlockStopped):
            return self._end()
        if isinstance(event, Started):
            self.own = event.dialect == NAME
            return [self._message("messageStart", {"role": "assistant"})]
        if isinstance(event, Finished):
            self.finished = True
            told = {"stopReason": reason_of(event.stop, event.native_stop), **(event.extra if self.own else {})}
            return [self._message("messageStop", told)]
        if isinstance(event, Failed):
            return [self.fail(event.report)]
        if isinstance(event, Proved):
            return self._prove(event.proof)
        if isinstance(event, Cited):
            return [self._piece({"citation": write_citation(event.citation, own=self.own)})]
        if isinstance(event, Passed) and event.dialect == NAME:
            if event.type != "metadata":
                return [self._message(event.type, event.raw)]
            self.metadata = event.raw
        return []

    def _piece(self, delta: Json) -> bytes:
        return self._message("contentBlockDelta", {"contentBlockIndex": self.index, "delta": delta})

    def _delta(self, text: str) -> bytes:
        if type(self.block) is ToolCall:
            self.spoke = True
            return self._piece({"toolUse": {"input": text}})
        if type(self.block) is Reasoning:
            return self._piece({"reasoningContent": {"text": text}})
        return self._piece({"text": text})

    def _begin(self, block: Block) -> list[bytes]:
        self.block = block
        written: list[bytes] = []
        if isinstance(block, ToolCall):
            if block.proof is not None and not self.own:
                self.index += 1
                told = sealed_thought(block)["reasoningContent"]["reasoningText"]
                written.append(self._piece({"reasoningContent": {"signature": told["signature"]}}))
                written.append(self._message("contentBlockStop", {"contentBlockIndex": self.index}))
            self.index += 1
            self.spoke = False
            start = {"toolUse": {"toolUseId": fitted_id(block.id), "name": block.name}}
            return [*written, self._message("contentBlockStart", {"contentBlockIndex": self.index, "start": start})]
        self.index += 1
        if isinstance(block, Reasoning) and block.proof is not None:
            told = write_reasoning(block)["reasoningContent"]
            if "redactedContent" in told:
                return [self._piece({"reasoningContent": told})]
            return [self._piece({"reasoningContent": {"signature": told["reasoningText"]["signature"]}})]
        if isinstance(block, Image):
            return self._image(block)
        if isinstance(block, Text | Refusal):
            return [self._piece({"text": block.text})] if block.text else []
        if isinstance(block, Reasoning | Audio):
            return []
        return [self._piece(written) for written in write_block(block) if "text" in written]

    def _image(self, block: Image) -> list[bytes]:
        (written,) = write_block(block)
        if "image" not in written:
            return [self._piece(written)]
        image = written["image"]
        start = {"contentBlockIndex": self.index, "start": {"image": {"format": image["format"]}}}
        return [self._message("contentBlockStart", start), self._piece({"image": {"source": image["source"]}})]

    def _prove(self, proof: Proof) -> list[bytes]:
        if not isinstance(self.block, Reasoning):
            return []
        native = proof.kind == "signature" and proof.family in (CLAUDE, "")
        return [self._piece({"reasoningContent": {"signature": proof.value if native else seal(proof)}})]

    def _end(self) -> list[bytes]:
        block, self.block = self.block, None
        stopped = self._message("contentBlockStop", {"contentBlockIndex": self.index})
        if isinstance(block, ToolCall) and not self.spoke:
            return [self._piece({"toolUse": {"input": "{}"}}), stopped]
        return [stopped]
