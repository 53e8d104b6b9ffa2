"""Reads a stream of the Responses API.

It says everything several times: in pieces, whole when a part is done, whole again when its item is, and once more at
the end. The pieces are taken; what was told only whole (some hosts send no pieces) is taken where it is told first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

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
    Image,
    Json,
    Metered,
    Opaque,
    Passed,
    Proved,
    Reasoning,
    Refusal,
    Started,
    Text,
    ToolCall,
)
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.lenient import count, list_of, text_of
from dragoman.dialects.openai_responses.answer import stop_of
from dragoman.dialects.openai_responses.content import NAME
from dragoman.dialects.openai_responses.errors import report_of
from dragoman.dialects.openai_responses.items import read_item
from dragoman.dialects.openai_responses.usage import read_usage

_decode = msgspec.json.decode
Read = Callable[["EventReader", Json, list[Event]], None]


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.started = False
        self.done = False
        self.called = False
        self.index = -1  # of the open or latest block
        self.block: Block | None = None
        self.at = -1  # the output index of the open block
        self.said = False  # whether the open block has said anything
        self.whole: set[int] = set()  # output indexes of items that have been told

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some frames."""
        events: list[Event] = []
        for _, data in frames:
            if self.done or data.startswith(b"[DONE]"):
                break
            try:
                event: Any = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"An event is not JSON: {error}.") from None
            if type(event) is not dict:
                raise Unreadable("An event is not an object.")
            kind = event.get("type")
            if kind == "response.output_text.delta":
                self._piece(Text, event, events)
            elif type(kind) is str and kind in READERS:
                READERS[kind](self, event, events)
            elif kind is None and event.get("error"):
                self._error(event, events)
            elif type(kind) is not str or kind not in SILENT:
                events.append(Passed(dialect=NAME, type=str(kind), raw=event))
        return events

    def finish(self) -> list[Event]:
        """A good stream has told its response's end (edge case 43)."""
        if not self.done:
            raise Unreadable("The stream ended before its end.")
        return []

    # The response -------------------------------------------------------------------------------------------------

    def _start(self, event: Json, events: list[Event]) -> None:
        response: Any = event.get("response")
        if self.started or type(response) is not dict:
            return
        self.started = True
        self.model = text_of(response, "model") or self.model
        created = count(response.get("created_at"))
        events.append(Started(dialect=NAME, id=text_of(response, "id"), model=self.model, created_s=created))

    def _end(self, event: Json, events: list[Event]) -> None:
        self._start(event, events)
        self.done = True
        response: Any = event.get("response")
        response = response if type(response) is dict else {}
        if response.get("status") == "failed" or event.get("type") == "response.failed":
            events.append(Failed(report=report_of(response.get("error"))))
            return
        for number, item in enumerate(list_of(response, "output")):
            if type(item) is dict and number not in self.whole:
                self._item_whole(item, number, events)
        self._close(events)
        usage = read_usage(response.get("usage"))
        stop, native = stop_of(response, called=self.called)
        events.append(Finished(stop=stop or "stop", native_stop=native))
        if usage is not None:
            events.append(Metered(usage=usage))

    def _error(self, event: Json, events: list[Event]) -> None:
        self.done = True
        told = event.get("error")
        events.append(Failed(report=report_of(told if type(told) is dict else event)))

    # Items --------------------------------------------------------------------------------------------------------

    def _item_added(self, event: Json, events: list[Event]) -> None:
        item: Any = event.get("item")
        if type(item) is not dict:
            raise Unreadable("An item is not an object.", "item")
        kind = item.get("type")
        if kind in ("function_call", "custom_tool_call"):
            call = self._call(item)
            self._open(replace(call, arguments=""), _place(event), events)
        elif kind == "reasoning":
            self._open(Reasoning(id=text_of(item, "id"), summary=True), _place(event), events)

    def _call(self, item: Json) -> ToolCall:
        (block,) = read_item(Fields(item, "item"), self.model).blocks
        if not isinstance(block, ToolCall):
            raise Unreadable("An item is no call.", "item")
        self.called = True
        return block

    def _item_done(self, event: Json, events: list[Event]) -> None:
        item: Any = event.get("item")
        if type(item) is not dict:
            raise Unreadable("An item is not an object.", "item")
        number = _place(event)
        number = number if type(number) is int else len(self.whole)
        if self.at != number or self.block is None:
            if number not in self.whole:
                self._item_whole(item, number, events)
            self.whole.add(number)
            return
        self.whole.add(number)
        block = self.block
        if isinstance(block, ToolCall) and not self.said:
            self._say(text_of(item, "input" if block.kind == "custom" else "arguments"), events)
        elif isinstance(block, Reasoning):
            told = read_item(Fields(item, "item"), self.model).blocks
            for reasoning in (one for one in told if isinstance(one, Reasoning)):
                if not self.said:
                    self._say(reasoning.text, events)
                if reasoning.proof is not None:
                    events.append(Proved(index=self.index, proof=reasoning.proof))
        self._close(events)

    def _item_whole(self, item: Json, number: int, events: list[Event]) -> None:
        """An item that was not told in pieces."""
        self.whole.add(number)
        for block in read_item(Fields(item, "item"), self.model).blocks:
            if isinstance(block, Image | Opaque):
                self._open(block, number, events)
            elif isinstance(block, ToolCall):
                self.called = True
                self._open(replace(block, arguments=""), number, events)
                self._say(block.arguments, events)
            elif isinstance(block, Text | Refusal):
                empty: Block = Text(text="") if isinstance(block, Text) else Refusal(text="")
                self._open(empty, number, events)
                self._say(block.text, events)
            elif isinstance(block, Reasoning):
                self._open(Reasoning(id=block.id, summary=block.summary), number, events)
                self._say(block.text, events)
                if block.proof is not None:
                    events.append(Proved(index=self.index, proof=block.proof))
            self._close(events)

    # Parts and pieces ---------------------------------------------------------------------------------------------

    def _part_added(self, event: Json, events: list[Event]) -> None:
        part: Any = event.get("part")
        kind = part.get("type") if type(part) is dict else None
        if kind == "output_text":
            self._open(Text(text=""), _place(event), events)
        elif kind == "refusal":
            self._open(Refusal(text=""), _place(event), events)

    def _part_done(self, event: Json, events: list[Event]) -> None:
        if not isinstance(self.block, Text | Refusal) or self.at != _place(event):
            return
        part: Any = event.get("part")
        if not self.said and type(part) is dict:
            self._say(text_of(part, "text") or text_of(part, "refusal"), events)
        self.whole.add(self.at)
        self._close(events)

    def _piece(self, kind: type[Text | Refusal | Reasoning], event: Json, events: list[Event]) -> None:
        delta = event.get("delta")
        if type(delta) is not str or not delta:
            return
        number = _place(event)
        if type(self.block) is not kind or self.at != number:
            block: Block = Reasoning(summary=True) if kind is Reasoning else kind(text="")
            self._open(block, number, events)
        logprobs = event.get("logprobs")
        told = {"content": logprobs} if type(logprobs) is list and logprobs else None
        events.append(Delta(index=self.index, text=delta, logprobs=told))
        self.said = True

    def _call_piece(self, event: Json, events: list[Event]) -> None:
        delta = event.get("delta")
        if type(delta) is str and delta and isinstance(self.block, ToolCall):
            self._say(delta, events)

    def _call_done(self, event: Json, events: list[Event]) -> None:
        if isinstance(self.block, ToolCall) and not self.said and self.at == _place(event):
            self._say(text_of(event, "arguments") or text_of(event, "input"), events)

    def _summary_part(self, event: Json, events: list[Event]) -> None:
        if isinstance(self.block, Reasoning) and self.said:
            self._say("\n\n", events)

    def _annotation(self, event: Json, events: list[Event]) -> None:
        note: Any = event.get("annotation")
        if type(note) is not dict or not isinstance(self.block, Text):
            return
        start, end = note.get("start_index"), note.get("end_index")
        citation = Citation(
            url=text_of(note, "url"),
            title=text_of(note, "title"),
            start=start if type(start) is int else None,
            end=end if type(end) is int else None,
            extra={} if note.get("type") == "url_citation" else note,
        )
        events.append(Cited(index=self.index, citation=citation))

    def _say(self, text: str, events: list[Event]) -> None:
        if text:
            self.said = True
            events.append(Delta(index=self.index, text=text))

    def _open(self, block: Block, number: int, events: list[Event]) -> None:
        self._close(events)
        self.block, self.at, self.said = block, number, False
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block))

    def _close(self, events: list[Event]) -> None:
        if self.block is not None:
            self.whole.add(self.at)
            self.block = None
            events.append(BlockStopped(index=self.index))


def _refusal(reader: EventReader, event: Json, events: list[Event]) -> None:
    reader._piece(Refusal, event, events)


def _reasoning(reader: EventReader, event: Json, events: list[Event]) -> None:
    reader._piece(Reasoning, event, events)


READERS: dict[str, Read] = {
    "response.created": EventReader._start,
    "response.queued": EventReader._start,
    "response.in_progress": EventReader._start,
    "response.output_item.added": EventReader._item_added,
    "response.output_item.done": EventReader._item_done,
    "response.content_part.added": EventReader._part_added,
    "response.content_part.done": EventReader._part_done,
    "response.refusal.delta": _refusal,
    "response.output_text.annotation.added": EventReader._annotation,
    "response.function_call_arguments.delta": EventReader._call_piece,
    "response.function_call_arguments.done": EventReader._call_done,
    "response.custom_tool_call_input.delta": EventReader._call_piece,
    "response.custom_tool_call_input.done": EventReader._call_done,
    "response.reasoning_summary_part.added": EventReader._summary_part,
    "response.reasoning_summary_text.delta": _reasoning,
    "response.reasoning_text.delta": _reasoning,
    "response.completed": EventReader._end,
    "response.incomplete": EventReader._end,
    "response.failed": EventReader._end,
    "response.cancelled": EventReader._end,
    "error": EventReader._error,
}
# What has been told before, or says nothing.
SILENT = frozenset(
    {
        "response.output_text.done",
        "response.refusal.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.reasoning_text.done",
        "keepalive",
        "ping",
    }
)


def _place(event: Json) -> int:
    """Which item of the output an event is of."""
    return count(event.get("output_index"))
