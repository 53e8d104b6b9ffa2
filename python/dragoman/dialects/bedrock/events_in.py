"""Reads a ConverseStream: blocks with numbers, of which text and thoughts have no start."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.bedrock.blocks import CLAUDE, NAME, TYPES, read_citation
from dragoman.dialects.bedrock.errors import report_of
from dragoman.dialects.bedrock.stops import STOPS
from dragoman.dialects.bedrock.usage import read_usage
from dragoman.dialects.canonical import (
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
    Source,
    Started,
    Text,
    ToolCall,
)
from dragoman.dialects.continuity import family_of, unseal
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.lenient import text_of

_decode = msgspec.json.decode


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        self.model = target.model
        self.family = family_of("", target.model) or CLAUDE
        self.index = -1  # of the open or latest block, as it is told here
        self.at: object = None  # its number in the stream
        self.block: Block | None = None
        self.format = ""  # of a picture that is open
        self.done = False
        self.finished = False

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some messages."""
        events: list[Event] = []
        for name, data in frames:
            if self.done:
                break
            try:
                payload: Any = _decode(data) if data else {}
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"An event is not JSON: {error}.") from None
            if type(payload) is not dict:
                raise Unreadable("An event is not an object.")
            if ":" in name:
                self.done = True
                events.append(Failed(report=report_of(name.partition(":")[2], payload)))
            else:
                self._event(name, payload, events)
        return events

    def finish(self) -> list[Event]:
        """A good stream has said why it stopped."""
        if not self.done and not self.finished:
            raise Unreadable("The stream ended before its end.")
        return []

    def _event(self, name: str, payload: Json, events: list[Event]) -> None:
        if name == "contentBlockDelta":
            self._delta(payload, events)
        elif name == "contentBlockStart":
            self._start(payload, events)
        elif name == "contentBlockStop":
            self._close(events)
        elif name == "messageStart":
            events.append(Started(dialect=NAME, model=self.model))
        elif name == "messageStop":
            self._close(events)
            self.finished = True
            native = text_of(payload, "stopReason")
            extra = {key: value for key, value in payload.items() if key not in ("stopReason", "p")}
            events.append(Finished(stop=STOPS.get(native, "stop"), native_stop=native, extra=extra))
        elif name == "metadata":
            usage = read_usage(payload.get("usage"))
            if usage is not None:
                events.append(Metered(usage=usage))
            events.append(Passed(dialect=NAME, type=name, raw=payload))
        else:
            events.append(Passed(dialect=NAME, type=name, raw=payload))

    def _start(self, payload: Json, events: list[Event]) -> None:
        start: Any = payload.get("start")
        tool: Any = start.get("toolUse") if type(start) is dict else None
        image: Any = start.get("image") if type(start) is dict else None
        if type(tool) is dict:
            call = ToolCall(id=text_of(tool, "toolUseId"), name=text_of(tool, "name"), arguments="")
            self._open(call, payload.get("contentBlockIndex"), events)
        elif type(image) is dict:
            self.format = text_of(image, "format")

    def _delta(self, payload: Json, events: list[Event]) -> None:
        delta: Any = payload.get("delta")
        if type(delta) is not dict:
            raise Unreadable("A delta is not an object.", "delta")
        number = payload.get("contentBlockIndex")
        text = delta.get("text")
        if type(text) is str:
            if text:
                self._piece(Text, text, number, events)
        elif type(delta.get("toolUse")) is dict:
            if isinstance(self.block, ToolCall) and (piece := text_of(delta["toolUse"], "input")):
                events.append(Delta(index=self.index, text=piece))
        elif type(delta.get("reasoningContent")) is dict:
            self._thought(delta["reasoningContent"], number, events)
        elif type(delta.get("citation")) is dict:
            self._piece(Text, "", number, events)
            events.append(Cited(index=self.index, citation=read_citation(delta["citation"])))
        elif type(delta.get("image")) is dict:
            source: Any = delta["image"].get("source")
            data = text_of(source, "bytes") if type(source) is dict else ""
            kind = TYPES.get(self.format, "image/png")
            self._open(Image(source=Source(media_type=kind, data=data)), number, events)

    def _thought(self, raw: Json, number: object, events: list[Event]) -> None:
        redacted, signature = raw.get("redactedContent"), raw.get("signature")
        if type(redacted) is str:
            own = Proof(kind="redacted", value=redacted, family=self.family, model=self.model)
            self._open(Reasoning(proof=unseal(redacted, own)), number, events)
            return
        self._piece(Reasoning, text_of(raw, "text"), number, events)
        if type(signature) is str and signature:
            own = Proof(kind="signature", value=signature, family=self.family, model=self.model)
            events.append(Proved(index=self.index, proof=unseal(signature, own)))

    def _piece(self, kind: type[Text | Reasoning], text: str, number: object, events: list[Event]) -> None:
        if type(self.block) is not kind or self.at != number:
            self._open(Text(text="") if kind is Text else Reasoning(), number, events)
        if text:
            events.append(Delta(index=self.index, text=text))

    def _open(self, block: Block, number: object, events: list[Event]) -> None:
        self._close(events)
        self.block, self.at = block, number
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block))

    def _close(self, events: list[Event]) -> None:
        if self.block is not None:
            self.block = None
            events.append(BlockStopped(index=self.index))
