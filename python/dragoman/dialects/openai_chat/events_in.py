"""Reads a stream of chunks.

The dialect has no blocks, only pieces keyed by kind, so their starts and stops are made up here. Hosts take liberties
that each have a rule: calls without an index, all calls at index nought, calls that take turns, a reason to finish on
every chunk, usage with or without choices, no ``[DONE]``.
"""

from __future__ import annotations

from typing import Any

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
    Image,
    Json,
    Metered,
    Proved,
    Reasoning,
    Refusal,
    Source,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.dialect import Frame, Target
from dragoman.dialects.fields import Unreadable, object_of
from dragoman.dialects.lenient import count, text_of
from dragoman.dialects.mistral import split_content
from dragoman.dialects.openai_chat.content import NAME, source_of_url
from dragoman.dialects.openai_chat.errors import report_of
from dragoman.dialects.openai_chat.message import google_proof, read_detail
from dragoman.dialects.openai_chat.stops import read_stop
from dragoman.dialects.openai_chat.usage import read_usage

_decode = msgspec.json.decode


def objects(raw: Json, name: str) -> list[Json]:
    """The objects of a list that is taken as it comes."""
    value = raw.get(name)
    return [item for item in value if type(item) is dict] if type(value) is list else []


class EventReader:
    """One stream."""

    def __init__(self, target: Target) -> None:
        del target
        self.started = False
        self.done = False
        self.choices: dict[int, _Choice] = {}
        self.usage: Usage | None = None

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some chunks."""
        events: list[Event] = []
        for name, data in frames:
            if self.done:
                break
            if data.startswith(b"[DONE]"):
                events += self._end()
                break
            try:
                chunk = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Unreadable(f"A chunk is not JSON: {error}.") from None
            if type(chunk) is not dict:
                raise Unreadable("A chunk is not an object.")
            if chunk.get("error") or name == "error":
                self.done = True
                return [*events, Failed(report=report_of(chunk))]
            self._chunk(chunk, events)
        return events

    def finish(self) -> list[Event]:
        """The end of the body: a good one where every choice has its reason."""
        if self.done:
            return []
        if not self.choices or any(not choice.reason for choice in self.choices.values()):
            raise Unreadable("The stream ended before its end.")
        return self._end()

    def _chunk(self, chunk: Json, events: list[Event]) -> None:
        choices = chunk.get("choices")
        usage = chunk.get("usage")
        if usage is not None:
            self.usage = read_usage(usage) or self.usage
        if type(choices) is not list or not choices:
            return
        if not self.started:
            self._start(chunk, events)
        for part in choices:
            if type(part) is not dict:
                raise Unreadable("A choice is not an object.", "choices")
            number = part.get("index")
            number = number if type(number) is int else 0
            choice = self.choices.get(number)
            if choice is None:
                choice = self.choices[number] = _Choice(number)
            choice.take(part, events)

    def _start(self, chunk: Json, events: list[Event]) -> None:
        self.started = True
        kept = ("system_fingerprint", "service_tier", "provider")
        extra = {name: chunk[name] for name in kept if chunk.get(name) is not None}
        created = count(chunk.get("created"))
        events.append(
            Started(
                dialect=NAME, id=text_of(chunk, "id"), model=text_of(chunk, "model"), created_s=created, extra=extra
            )
        )

    def _end(self) -> list[Event]:
        self.done = True
        events: list[Event] = []
        if not self.choices:
            raise Unreadable("The stream ended without an answer.")
        for choice in self.choices.values():
            choice.end(events)
        if self.usage is not None:
            events.append(Metered(usage=self.usage))
        return events


class _Call:
    """A call as it comes in."""

    __slots__ = ("arguments", "block", "closed", "opened", "pieces")

    def __init__(self, block: ToolCall) -> None:
        self.block = block
        self.pieces: list[str] = []  # that wait for their turn
        self.arguments = ""  # until its turn is over, to see whether they are whole
        self.opened = False
        self.closed = False


class _Choice:
    """One choice: which block is open, and the calls that wait."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.kind = ""  # of the open block
        self.index = -1  # of the open or latest block
        self.reason = ""
        self.native = ""
        self.calls: dict[int, _Call] = {}
        self.current: _Call | None = None
        self.detail: object = None  # the index of the reasoning entry that is open

    def take(self, part: Json, events: list[Event]) -> None:
        """Take a chunk's part of this choice."""
        delta = part.get("delta")
        if type(delta) is dict and delta:
            content = delta.get("content")
            if type(content) is str and content and len(delta) == 1:
                self._text(content, part.get("logprobs"), events)
            else:
                self._delta(delta, part, events)
        elif "text" in part:  # completions, from a host that is asked to chat
            self._text(text_of(part, "text"), None, events)
        reason = part.get("finish_reason")
        if type(reason) is str and reason:
            self.reason = reason
            self.native = text_of(part, "native_finish_reason") or reason

    def _delta(self, delta: Json, part: Json, events: list[Event]) -> None:
        self._reason(delta, events)
        content = delta.get("content")
        if type(content) is list:
            for block in split_content(content):
                if isinstance(block, Reasoning):
                    self._thought(block.text, events)
                elif isinstance(block, Text):
                    self._text(block.text, part.get("logprobs"), events)
        elif type(content) is str and content:
            self._text(content, part.get("logprobs"), events)
        self._rare(delta, events)
        for call in objects(delta, "tool_calls"):
            self._call(call, events)
        old = delta.get("function_call")
        if type(old) is dict:
            named = {"id": f"call_{text_of(old, 'name')}"} if old.get("name") else {}
            self._call({"index": 0, **named, "function": old}, events)

    def _rare(self, delta: Json, events: list[Event]) -> None:
        """What few answers have: refusals, pictures, sound, citations."""
        refusal = delta.get("refusal")
        if type(refusal) is str and refusal:
            self._piece("refusal", Refusal(text=""), refusal, events)
        for image in objects(delta, "images"):
            url = image.get("image_url")
            if type(url) is dict:
                self._whole(Image(source=source_of_url(text_of(url, "url"))), events)
        if type(delta.get("audio")) is dict:
            self._sound(delta["audio"], events)
        for note in objects(delta, "annotations"):
            self._cite(note, events)

    def _text(self, text: str, logprobs: Any, events: list[Event]) -> None:
        if self.kind != "text":
            self._open("text", Text(text=""), events)
        known = logprobs if type(logprobs) is dict else None
        events.append(Delta(index=self.index, text=text, choice=self.number, logprobs=known))

    def _thought(self, text: str, events: list[Event]) -> None:
        self._piece("thought", Reasoning(), text, events)

    def _piece(self, kind: str, block: Block, text: str, events: list[Event]) -> None:
        if self.kind != kind:
            self._open(kind, block, events)
        if text:
            events.append(Delta(index=self.index, text=text, choice=self.number))

    def _whole(self, block: Block, events: list[Event]) -> None:
        self._open("whole", block, events)
        self._close(events)

    def _reason(self, delta: Json, events: list[Event]) -> None:
        """Reasoning: by its entries, where there are any, else by its text."""
        details = objects(delta, "reasoning_details")
        if details:
            for detail in details:
                self._detail(detail, events)
            return
        for name in ("reasoning_content", "reasoning"):
            text = delta.get(name)
            if type(text) is str and text:
                self._thought(text, events)
                return

    def _detail(self, detail: Json, events: list[Event]) -> None:
        block = read_detail(detail)
        if block.proof is not None and block.proof.call_id:
            call = next((one for one in self.calls.values() if one.block.id == block.proof.call_id), None)
            if call is not None and call.opened and not call.closed:
                events.append(Proved(index=self.index, proof=block.proof, choice=self.number))
            return
        if detail.get("type") == "reasoning.encrypted":
            self._whole(block, events)
            self.detail = None
            return
        key = (detail.get("index"), detail.get("type"))
        if self.kind != "thought" or (self.detail is not None and self.detail != key):
            self._open("thought", Reasoning(id=block.id, summary=block.summary), events)
        self.detail = key
        if block.text:
            events.append(Delta(index=self.index, text=block.text, choice=self.number))
        if block.proof is not None:
            events.append(Proved(index=self.index, proof=block.proof, choice=self.number))

    def _sound(self, audio: Json, events: list[Event]) -> None:
        if self.kind != "sound":
            self._open("sound", Audio(id=text_of(audio, "id"), source=Source()), events)
        said, data = text_of(audio, "transcript"), text_of(audio, "data")
        events.append(Delta(index=self.index, text=said, choice=self.number, data=data))

    def _cite(self, note: Json, events: list[Event]) -> None:
        cited = note.get("url_citation")
        if type(cited) is not dict:
            return
        if self.kind != "text":
            self._open("text", Text(text=""), events)
        start, end = cited.get("start_index"), cited.get("end_index")
        citation = Citation(
            url=text_of(cited, "url"),
            title=text_of(cited, "title"),
            start=start if type(start) is int else None,
            end=end if type(end) is int else None,
        )
        events.append(Cited(index=self.index, citation=citation, choice=self.number))

    # Calls --------------------------------------------------------------------------------------------------------

    def _call(self, part: Json, events: list[Event]) -> None:
        call = self._known_call(part)
        inner = part.get("custom") if type(part.get("custom")) is dict else part.get("function")
        if type(inner) is dict:
            text = inner.get("input" if inner is part.get("custom") else "arguments")
            if type(text) is dict:
                text = msgspec.json.encode(text).decode()
            if type(text) is str and text:
                call.pieces.append(text)
        self._turn(events)

    def _known_call(self, part: Json) -> _Call:
        """The call that a piece is of: by its index, by its id where that is another one's, else the latest."""
        number, call_id = part.get("index"), text_of(part, "id")
        custom = type(part.get("custom")) is dict
        inner: Any = part.get("custom") if custom else part.get("function")
        name = text_of(inner, "name") if type(inner) is dict else ""
        call = self.calls.get(number) if type(number) is int else None
        if call is not None and (not call_id or not call.block.id or call.block.id == call_id):
            return call
        if call_id:
            found = next((one for one in self.calls.values() if one.block.id == call_id), None)
            if found is not None:
                return found
        elif call is None and type(number) is not int and self.calls and not name:
            return next(reversed(self.calls.values()))
        if type(number) is not int or call is not None:
            number = max(self.calls, default=-1) + 1
        proof = google_proof(part, call_id)
        block = ToolCall(id=call_id, name=name, arguments="", kind="custom" if custom else "function", proof=proof)
        call = self.calls[number] = _Call(block)
        return call

    def _turn(self, events: list[Event]) -> None:
        """Say what may be said now: of the first call that is not whole, all; of later ones nothing."""
        for call in self.calls.values():
            if call.closed:
                if not call.pieces:
                    continue
                raise Unreadable("A tool call goes on after its end.", "tool_calls")
            if not call.opened:
                if self.current is not None and not self.current.closed:
                    if object_of(self.current.arguments) is None or not self.current.arguments:
                        return  # waits until the one before is whole
                    self._close(events)
                self._open("call", call.block, events)
                call.opened = True
                self.current = call
            for piece in call.pieces:
                events.append(Delta(index=self.index, text=piece, choice=self.number))
                call.arguments += piece
            call.pieces.clear()

    # Blocks -------------------------------------------------------------------------------------------------------

    def _open(self, kind: str, block: Block, events: list[Event]) -> None:
        self._close(events)
        self.kind = kind
        self.index += 1
        events.append(BlockStarted(index=self.index, block=block, choice=self.number))

    def _close(self, events: list[Event]) -> None:
        if self.kind:
            events.append(BlockStopped(index=self.index, choice=self.number))
            self.kind = ""
            if self.current is not None:
                self.current.closed = True

    def end(self, events: list[Event]) -> None:
        """Say what is left, and finish."""
        for call in self.calls.values():
            if call.closed and not call.pieces:
                continue
            if not call.opened:
                self._open("call", call.block, events)
                call.opened = True
                self.current = call
            events += [Delta(index=self.index, text=piece, choice=self.number) for piece in call.pieces]
            call.pieces.clear()
        self._close(events)
        stop = read_stop(self.reason, called=bool(self.calls))
        events.append(Finished(stop=stop, native_stop=self.native, choice=self.number))
