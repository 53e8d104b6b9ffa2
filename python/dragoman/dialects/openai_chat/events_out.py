"""Writes a stream of chunks."""

from __future__ import annotations

import msgspec

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
from dragoman.dialects.openai_chat.content import NAME
from dragoman.dialects.openai_chat.errors import error_json
from dragoman.dialects.openai_chat.message import (
    FORMAT_OF,
    detail_of,
    detail_of_call,
    write_annotation,
    write_call,
    write_image,
)
from dragoman.dialects.openai_chat.stops import REASONS
from dragoman.dialects.openai_chat.usage import write_usage

_encode = msgspec.json.encode
DONE = b"data: [DONE]\n\n"


class EventWriter:
    """One stream."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.head = b""  # of every chunk, up to its choices
        self.own = False
        self.usage: Usage | None = None
        self.choices: dict[int, _Choice] = {}

    def write(self, events: list[Event]) -> bytes:
        """The chunks of some events."""
        written: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is Delta:
                written.append(self._delta(event))  # type: ignore[arg-type]
            elif kind is Started:
                self._start(event)  # type: ignore[arg-type]
            elif kind is Metered:
                self.usage = event.usage  # type: ignore[union-attr]
            elif kind is Failed:
                written.append(self.fail(event.report))  # type: ignore[union-attr]
            else:
                written += self._other(event)
        return b"".join(written)

    def finish(self) -> bytes:
        """The usage, for a client that asked for it, and the end."""
        if self.usage is None or not self.asked.request.include_usage:
            return DONE
        usage = _encode(write_usage(self.usage, own=self.own))
        return self.head + b'],"usage":' + usage + b"}\n\n" + DONE

    def fail(self, report: Report) -> bytes:
        """An error, which the SDKs raise."""
        return b"data: " + _encode(error_json(report, self.asked.request_id)) + b"\n\n"

    def ping(self) -> bytes:
        """A comment."""
        return b": ping\n\n"

    def _start(self, event: Started) -> None:
        self.own = event.dialect == NAME
        chunk: Json = {
            "id": event.id if self.own and event.id else f"chatcmpl-{self.asked.request_id}",
            "object": "chat.completion.chunk",
            "created": event.created_s or self.asked.created_s,
            "model": event.model,
            **(event.extra if self.own else {}),
        }
        self.head = b"data: " + _encode(chunk)[:-1] + b',"choices":['

    def _choice(self, number: int) -> _Choice:
        choice = self.choices.get(number)
        if choice is None:
            choice = self.choices[number] = _Choice()
        return choice

    def _delta(self, event: Delta) -> bytes:
        choice = self._choice(event.choice)
        block = choice.block
        if type(block) is Text:
            delta: Json = {"content": event.text}
        elif type(block) is ToolCall:
            choice.arguments = True
            inner = {"input": event.text} if block.kind == "custom" else {"arguments": event.text}
            delta = {"tool_calls": [{"index": choice.calls - 1, block.kind: inner}]}
        elif type(block) is Reasoning:
            entry = choice.entry | ({"summary": event.text} if block.summary else {"text": event.text})
            delta = {"reasoning_content": event.text, "reasoning_details": [entry]}
        elif type(block) is Refusal:
            delta = {"refusal": event.text}
        elif type(block) is Audio:
            sound = {"id": block.id, "data": event.data or "", "transcript": event.text}
            return self._chunk(event.choice, {"audio": sound})
        else:
            return b""
        if event.logprobs is not None:
            return self._chunk(event.choice, delta, b',"logprobs":' + _encode(event.logprobs))
        return self._chunk(event.choice, delta)

    def _chunk(self, number: int, delta: Json, more: bytes = b"") -> bytes:
        choice = self._choice(number)
        if not choice.begun:
            choice.begun = True
            delta = {"role": "assistant", **({} if "content" in delta else {"content": ""}), **delta}
        return b'%b{"index":%d,"delta":%b%b,"finish_reason":null}]}\n\n' % (self.head, number, _encode(delta), more)

    def _other(self, event: Event) -> list[bytes]:
        if isinstance(event, BlockStarted):
            return self._begin_block(event.choice, event.block)
        if isinstance(event, BlockStopped):
            return self._end_block(event.choice)
        if isinstance(event, Proved):
            return self._prove(event)
        if isinstance(event, Cited):
            note = write_annotation(event.citation)
            return [self._chunk(event.choice, {"annotations": [note]})] if note else []
        if isinstance(event, Finished):
            reason: Json = {"index": event.choice, "delta": {}, "finish_reason": REASONS[event.stop]}
            if not self._choice(event.choice).begun:
                reason["delta"] = {"role": "assistant", "content": ""}
            if event.native_stop and event.native_stop != reason["finish_reason"]:
                reason["native_finish_reason"] = event.native_stop
            return [self.head + _encode(reason) + b"]}\n\n"]
        return []

    def _begin_block(self, number: int, block: Block) -> list[bytes]:
        choice = self._choice(number)
        choice.block = block
        if isinstance(block, ToolCall):
            choice.calls += 1
            choice.arguments = False
            start = write_call(block, own=True)
            start[block.kind]["input" if block.kind == "custom" else "arguments"] = ""
            delta: Json = {"tool_calls": [{"index": choice.calls - 1, **start}]}
            if block.proof is not None:
                delta["reasoning_details"] = [detail_of_call(block.id, block.proof, choice.details)]
                choice.details += 1
            return [self._chunk(number, delta)]
        if isinstance(block, Reasoning):
            whole = detail_of(block, choice.details) if block.proof is not None else []
            kind = "reasoning.summary" if block.summary else "reasoning.text"
            choice.entry = {"type": kind, "format": "unknown", "index": choice.details}
            choice.details += 1
            return [self._chunk(number, {"reasoning_details": whole})] if whole else []
        if isinstance(block, Image) and (image := write_image(block)):
            return [self._chunk(number, {"images": [image]})]
        if isinstance(block, Text) and block.text:
            return [self._chunk(number, {"content": block.text})]
        return []

    def _end_block(self, number: int) -> list[bytes]:
        choice = self._choice(number)
        block, choice.block = choice.block, None
        if isinstance(block, ToolCall) and block.kind == "function" and not choice.arguments:
            call = {"index": choice.calls - 1, "function": {"arguments": "{}"}}
            return [self._chunk(number, {"tool_calls": [call]})]
        return []

    def _prove(self, event: Proved) -> list[bytes]:
        choice = self._choice(event.choice)
        block, proof = choice.block, event.proof
        if isinstance(block, ToolCall):
            entry = detail_of_call(block.id, proof, choice.details)
            choice.details += 1
            delta: Json = {"reasoning_details": [entry]}
            if proof.family == "google":
                call = {"index": choice.calls - 1, "extra_content": {"google": {"thought_signature": proof.value}}}
                delta["tool_calls"] = [call]
            return [self._chunk(event.choice, delta)]
        if isinstance(block, Reasoning):
            entry = choice.entry | {"format": FORMAT_OF.get(proof.family, "unknown")}
            if proof.kind == "signature":
                return [self._chunk(event.choice, {"reasoning_details": [{**entry, "signature": proof.value}]})]
            entry |= {"type": "reasoning.encrypted", "data": proof.value}
            return [self._chunk(event.choice, {"reasoning_details": [entry]})]
        return []


class _Choice:
    """What has been said of one choice."""

    __slots__ = ("arguments", "begun", "block", "calls", "details", "entry")

    def __init__(self) -> None:
        self.begun = False
        self.block: Block | None = None
        self.calls = 0
        self.arguments = False  # whether the open call has said any
        self.details = 0  # entries of reasoning so far
        self.entry: Json = {}
