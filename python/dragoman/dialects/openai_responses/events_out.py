"""Writes a stream of the Responses API: each item in pieces and whole, and the whole response at its end.

Some clients build their history from ``output_item.done`` alone, so each comes, with all that its item holds; indexes,
ids and the final response agree because they are made in one place.
"""

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
from dragoman.dialects.dialect import Asked
from dragoman.dialects.openai_responses.answer import (
    Items,
    call_item,
    end,
    image_item,
    message_item,
    part_of,
    response_of,
)
from dragoman.dialects.openai_responses.content import NAME, write_annotation
from dragoman.dialects.openai_responses.errors import error_of
from dragoman.dialects.openai_responses.usage import write_usage

_encode = msgspec.json.encode


class EventWriter:
    """One stream. Of several choices the first is told: the dialect has no others."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.items = Items(asked)
        self.response = response_of(asked, asked.request.model)
        self.own = False
        self.number = 0  # of the next event
        self.usage: Usage | None = None
        self.finished: Finished | None = None
        self.block: Block | None = None
        self.item: Json | None = None  # the open item, which may be a message of several blocks
        self.place: Json = {}  # of the open item or part, as its events tell it
        self.pieces: list[str] = []
        self.notes: list[Json] = []
        self.proof: Proof | None = None
        self.head = b""  # of a delta of the open block

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        written: list[bytes] = []
        for event in events:
            if type(event) is Delta:
                if event.choice == 0:
                    written.append(self._delta(event))
            elif isinstance(event, Metered):
                self.usage = event.usage
            elif getattr(event, "choice", 0) == 0:
                written += self._other(event)
        return b"".join(written)

    def finish(self) -> bytes:
        """The whole response."""
        written = self._close_item()
        finished = self.finished or Finished(stop="stop")
        end(self.response, finished.stop)
        self._account()
        written.append(self._event(f"response.{self.response['status']}", {"response": self.response}))
        return b"".join(written)

    def fail(self, report: Report) -> bytes:
        """A response that has failed."""
        self.response |= {"status": "failed", "error": error_of(report)}
        self._account()
        return self._event("response.failed", {"response": self.response})

    def ping(self) -> bytes:
        """A comment."""
        return b": ping\n\n"

    def _account(self) -> None:
        self.response["output"] = self.items.written
        if self.usage is not None:
            self.response["usage"] = write_usage(self.usage, own=self.own)

    def _event(self, kind: str, raw: Json) -> bytes:
        number = self.number
        self.number += 1
        body = _encode({"type": kind, "sequence_number": number, **raw})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)

    def _other(self, event: Event) -> list[bytes]:
        if isinstance(event, Started):
            return self._start(event)
        if isinstance(event, BlockStarted):
            return self._begin(event.block)
        if isinstance(event, BlockStopped):
            return self._end()
        if isinstance(event, Finished):
            self.finished = event
        elif isinstance(event, Failed):
            return [self.fail(event.report)]
        elif isinstance(event, Proved):
            self.proof = event.proof
        elif isinstance(event, Cited):
            note = write_annotation(event.citation)
            if note:
                self.notes.append(note)
                told = {**self.place, "annotation_index": len(self.notes) - 1, "annotation": note}
                return [self._event("response.output_text.annotation.added", told)]
        elif isinstance(event, Passed) and event.dialect == NAME:
            raw = {name: value for name, value in event.raw.items() if name not in ("type", "sequence_number")}
            return [self._event(event.type, raw)]
        return []

    def _start(self, event: Started) -> list[bytes]:
        self.own = event.dialect == NAME
        self.response["model"] = event.model
        if self.own and event.id:
            self.response["id"] = event.id
        if event.created_s:
            self.response["created_at"] = event.created_s
        told = {"response": self.response}
        return [self._event("response.created", told), self._event("response.in_progress", told)]

    # Items --------------------------------------------------------------------------------------------------------

    def _add_item(self, item: Json) -> bytes:
        self.item = item
        self.items.written.append(item)
        index = len(self.items.written) - 1
        self.place = {"item_id": item.get("id", ""), "output_index": index}
        return self._event("response.output_item.added", {"output_index": index, "item": item})

    def _close_item(self) -> list[bytes]:
        """Tell the open item whole."""
        if self.item is None:
            return []
        item, self.item = self.item, None
        if item.get("status") == "in_progress":
            item["status"] = "completed"
        index = len(self.items.written) - 1
        return [self._event("response.output_item.done", {"output_index": index, "item": item})]

    def _begin(self, block: Block) -> list[bytes]:
        self.block, self.pieces, self.notes, self.proof = block, [], [], None
        if isinstance(block, Text | Refusal | Audio):
            return self._begin_part(block)
        written = self._close_item()
        if isinstance(block, ToolCall):
            if block.proof is not None:
                written += [self._add_item(self.items.proof_item(block)), *self._close_item()]
            written.append(self._add_item(call_item(block, self.items.name("fc"), "", "in_progress")))
            kind = "custom_tool_call_input" if block.kind == "custom" else "function_call_arguments"
            self._aim(f"response.{kind}.delta")
        elif isinstance(block, Reasoning):
            self.proof = block.proof
            item_id = block.id if self.own and block.id else self.items.name("rs")
            written.append(self._add_item({"id": item_id, "type": "reasoning", "summary": []}))
        elif isinstance(block, Image):
            written += [self._add_item(image_item(block, self.items.name("ig"))), *self._close_item()]
        elif isinstance(block, Opaque) and block.dialect == NAME:
            written += [self._add_item(block.raw), *self._close_item()]
        return written

    def _begin_part(self, block: Text | Refusal | Audio) -> list[bytes]:
        written: list[bytes] = []
        if self.item is None or self.item["type"] != "message":
            written += self._close_item()
            written.append(self._add_item(message_item(self.items.name("msg"))))
        index = len(self.item["content"]) if self.item is not None else 0
        self.place["content_index"] = index
        part = part_of(block if isinstance(block, Refusal) else Text(text=""))
        written.append(self._event("response.content_part.added", {**self.place, "part": part}))
        self._aim("response.refusal.delta" if isinstance(block, Refusal) else "response.output_text.delta")
        if isinstance(block, Text | Refusal) and block.text:
            written.append(self._delta(Delta(index=0, text=block.text)))
        return written

    def _aim(self, kind: str) -> None:
        """Make the head of the open block's deltas, which are most of a stream."""
        place = _encode(self.place)[1:-1]
        logprobs = b'"logprobs":[],' if kind == "response.output_text.delta" else b""
        self.head = b'event: %b\ndata: {"type":"%b",%b,%b"sequence_number":' % (
            kind.encode(),
            kind.encode(),
            place,
            logprobs,
        )

    def _delta(self, event: Delta) -> bytes:
        if isinstance(self.block, Reasoning):
            return self._thought(event.text)
        self.pieces.append(event.text)
        number = self.number
        self.number += 1
        if event.logprobs is not None and isinstance(self.block, Text):
            told = {**self.place, "delta": event.text, "logprobs": event.logprobs.get("content", [])}
            self.number = number
            return self._event("response.output_text.delta", told)
        return b'%b%d,"delta":%b}\n\n' % (self.head, number, _encode(event.text))

    def _thought(self, text: str) -> bytes:
        written = b""
        if not self.pieces:
            self.place["summary_index"] = 0
            part = {"type": "summary_text", "text": ""}
            written = self._event("response.reasoning_summary_part.added", {**self.place, "part": part})
            self._aim("response.reasoning_summary_text.delta")
        self.pieces.append(text)
        number = self.number
        self.number += 1
        return b'%b%b%d,"delta":%b}\n\n' % (written, self.head, number, _encode(text))

    def _end(self) -> list[bytes]:
        block, self.block = self.block, None
        text = "".join(self.pieces)
        if self.item is None or block is None:
            return []
        if isinstance(block, ToolCall):
            return self._end_call(block, text)
        if isinstance(block, Reasoning):
            return self._end_reasoning(block, text)
        return self._end_part(block, text)

    def _end_part(self, block: Block, text: str) -> list[bytes]:
        refused = isinstance(block, Refusal)
        part = part_of(Refusal(text=text) if refused else Text(text=text))
        if self.notes:
            part["annotations"] = self.notes
        if self.item is not None:
            self.item["content"].append(part)
        told = {"refusal": text} if refused else {"text": text, "logprobs": []}
        kind = "refusal" if refused else "output_text"
        return [
            self._event(f"response.{kind}.done", {**self.place, **told}),
            self._event("response.content_part.done", {**self.place, "part": part}),
        ]

    def _end_call(self, block: ToolCall, text: str) -> list[bytes]:
        custom = block.kind == "custom"
        name = "input" if custom else "arguments"
        text = text if text or custom else "{}"
        if self.item is not None:
            self.item[name] = text
        kind = "custom_tool_call_input" if custom else "function_call_arguments"
        return [self._event(f"response.{kind}.done", {**self.place, name: text}), *self._close_item()]

    def _end_reasoning(self, block: Reasoning, text: str) -> list[bytes]:
        whole = msgspec.structs.replace(block, text=text, proof=self.proof)
        written: list[bytes] = []
        if self.item is not None:
            self.item |= self.items.reasoning_item(whole, self.item["id"])
        if text:
            part = {"type": "summary_text", "text": text}
            written = [
                self._event("response.reasoning_summary_text.done", {**self.place, "text": text}),
                self._event("response.reasoning_summary_part.done", {**self.place, "part": part}),
            ]
        return written + self._close_item()
