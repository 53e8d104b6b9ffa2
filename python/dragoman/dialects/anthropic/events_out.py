"""Writes a stream of Messages events.

The dialect says how much the prompt was before it knows: where that has not been told by then, ``message_start`` says
nought and ``message_delta`` says it all, cumulative as its numbers are.
"""

from __future__ import annotations

import msgspec

from dragoman.dialects.anthropic.answer import sealed_thought, text_for, thinks
from dragoman.dialects.anthropic.blocks import FAMILY, NAME, write_citation
from dragoman.dialects.anthropic.conversation import own_block, own_reasoning
from dragoman.dialects.anthropic.errors import error_json
from dragoman.dialects.anthropic.stops import reason_of
from dragoman.dialects.anthropic.usage import write_usage
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
    Json,
    Metered,
    Opaque,
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


def event(kind: str, raw: Json) -> bytes:
    """One event; the SDKs look at its name as well as at its type."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **raw}))


class EventWriter:
    """One stream. Of several choices the first is told: the dialect has no others."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.shows = thinks(asked.request)
        self.own = False
        self.usage: Usage | None = None
        self.finished: Finished | None = None
        self.index = -1  # of the open or latest block, as it is written
        self.block: Block | None = None
        self.silent = False  # the open block is not written
        self.spoke = False  # whether the open call has said any argument

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        written: list[bytes] = []
        for one in events:
            kind = type(one)
            if kind is Delta:
                if one.choice == 0 and not self.silent:  # type: ignore[union-attr]
                    written.append(self._delta(one.text))  # type: ignore[union-attr]
            elif kind is Metered:
                self.usage = one.usage  # type: ignore[union-attr]
            elif getattr(one, "choice", 0) == 0:
                written += self._other(one)
        return b"".join(written)

    def finish(self) -> bytes:
        """Why it stopped and what it came to, and the end."""
        finished = self.finished or Finished(stop="stop")
        delta = {
            "stop_reason": reason_of(finished.stop, finished.native_stop, finished.stop_sequence),
            "stop_sequence": finished.stop_sequence,
            **(finished.extra if self.own else {}),
        }
        usage = {"output_tokens": 0} if self.usage is None else write_usage(self.usage, own=self.own)
        return event("message_delta", {"delta": delta, "usage": usage}) + event("message_stop", {})

    def fail(self, report: Report) -> bytes:
        """An error, which the SDKs raise."""
        return b"event: error\ndata: " + _encode(error_json(report, self.asked.request_id)) + b"\n\n"

    def ping(self) -> bytes:
        """The dialect's own sign of life."""
        return event("ping", {})

    def _other(self, one: Event) -> list[bytes]:
        if isinstance(one, BlockStarted):
            return self._begin(one.block)
        if isinstance(one, BlockStopped):
            return self._end()
        if isinstance(one, Proved):
            return self._prove(one.proof)
        if isinstance(one, Cited):
            citation = write_citation(one.citation, own=self.own)
            return [self._piece({"type": "citations_delta", "citation": citation})] if citation else []
        if isinstance(one, Started):
            return [self._start(one)]
        if isinstance(one, Finished):
            self.finished = one
        elif isinstance(one, Failed):
            return [self.fail(one.report)]
        elif isinstance(one, Passed) and one.dialect == NAME:
            return [self._passed(one)]
        return []

    def _passed(self, one: Passed) -> bytes:
        if one.type.endswith("_delta"):
            return self._piece(one.raw)
        return event(one.type, one.raw)

    def _start(self, started: Started) -> bytes:
        self.own = started.dialect == NAME
        self.usage = started.usage
        usage: Json = {"input_tokens": 0, "output_tokens": 0}
        if started.usage is not None:
            usage = write_usage(started.usage, own=self.own)
        message: Json = {
            "id": started.id if self.own and started.id else f"msg_{self.asked.request_id}",
            "type": "message",
            "role": "assistant",
            "model": started.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return event("message_start", {"message": message})

    def _delta(self, text: str) -> bytes:
        block = self.block
        if type(block) is ToolCall:
            self.spoke = True
            return self._piece({"type": "input_json_delta", "partial_json": text})
        if type(block) is Reasoning:
            return self._piece({"type": "thinking_delta", "thinking": text})
        return self._piece({"type": "text_delta", "text": text})

    def _piece(self, delta: Json) -> bytes:
        return event("content_block_delta", {"index": self.index, "delta": delta})

    def _begin(self, block: Block) -> list[bytes]:
        self.block = block
        self.silent = isinstance(block, Reasoning) and not self.own and not self.shows
        if self.silent:
            return []
        if isinstance(block, ToolCall):
            self.spoke = False
            return self._begin_call(block)
        if isinstance(block, Reasoning):
            if block.proof is not None:
                return [*self._open(own_reasoning(block)), *self._signed(block)]
            return self._open({"type": "thinking", "thinking": "", "signature": ""})
        if isinstance(block, Text | Refusal | Audio):
            written = self._open({"type": "text", "text": ""})
            text = "" if isinstance(block, Audio) else block.text
            return [*written, self._delta(text)] if text else written
        if isinstance(block, Opaque) and self.own:
            return self._open(own_block(block)[0])
        self.block = Text(text="")
        return [*self._open({"type": "text", "text": ""}), self._delta(text_for(block))]

    def _begin_call(self, block: ToolCall) -> list[bytes]:
        call_id = block.id if self.own else fitted_id(block.id)
        call: Json = {"type": "tool_use", "id": call_id, "name": block.name, "input": {}}
        if self.own:
            call |= block.extra
        if block.proof is None or not self.shows:
            return self._open(call)
        thought = sealed_thought(block)
        signed = self._open(thought | {"signature": ""})
        signed.append(self._piece({"type": "signature_delta", "signature": thought["signature"]}))
        signed.append(event("content_block_stop", {"index": self.index}))
        return signed + self._open(call)

    def _signed(self, block: Reasoning) -> list[bytes]:
        """The signature of a thought that came whole; what is redacted has none."""
        written = own_reasoning(block)
        if written["type"] != "thinking":
            return []
        return [self._piece({"type": "signature_delta", "signature": written["signature"]})]

    def _open(self, block: Json) -> list[bytes]:
        self.index += 1
        return [event("content_block_start", {"index": self.index, "content_block": block})]

    def _prove(self, proof: Proof) -> list[bytes]:
        if self.silent or not isinstance(self.block, Reasoning):
            return []
        signature = proof.value if proof.family == FAMILY and proof.kind == "signature" else seal(proof)
        return [self._piece({"type": "signature_delta", "signature": signature})]

    def _end(self) -> list[bytes]:
        block, self.block = self.block, None
        if self.silent:
            self.silent = False
            return []
        stopped = event("content_block_stop", {"index": self.index})
        if isinstance(block, ToolCall) and not self.spoke:
            return [self._piece({"type": "input_json_delta", "partial_json": "{}"}), stopped]
        return [stopped]
