"""What was hidden from a provider, shown again in the stream of its answer, piece by piece.

A whole answer needs none of this: its bytes are looked through once it has been written for its client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.canonical import Block, BlockStarted, BlockStopped, Delta, Event, Proved, Request, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.core import MaskSession, Unmasker

# Fields of events in which texts may stand that do not come in pieces.
WHOLE = ("block", "citation", "raw", "extra")


def is_json(text: str, asked: Request) -> bool:
    """Whether an answer's text is JSON: asked for as such, or to be seen by its first sign."""
    if asked.format is not None and asked.format.kind != "text":
        return True
    return text.lstrip()[:1] in ("{", "[")


class RevealStream:
    """The events of one stream, holding back no more than may be the start of a placeholder."""

    def __init__(self, session: MaskSession, asked: Callable[[], Request]) -> None:
        self._session = session
        self._asked = asked
        self._open: dict[tuple[int, int], Block] = {}
        self._unmaskers: dict[tuple[int, int], Unmasker] = {}

    def events(self, events: list[Event]) -> list[Event]:
        """The events, with what was hidden."""
        if not self._session.has_placeholders:
            return events
        return [shown for event in events for shown in self._event(event)]

    def _event(self, event: Event) -> list[Event]:
        if type(event) is Delta:
            return self._delta(event)
        event = self._whole(event)
        if type(event) is BlockStarted:
            self._open[event.choice, event.index] = event.block
        elif type(event) is Proved or type(event) is BlockStopped:
            return [*self._rest(event.choice, event.index), event]
        return [event]

    def _whole(self, event: Event) -> Event:
        """An event with what was hidden in the parts of it that come whole."""
        changed = {}
        for name in WHOLE:
            value = getattr(event, name, None)
            if value:
                shown = self._shown(value)
                if shown is not value:
                    changed[name] = shown
        return replace(event, **changed) if changed else event

    def _shown(self, value: object) -> object:
        written = msgspec.json.encode(value)
        shown = self._session.unmask_body(written)
        if shown is written:
            return value
        return msgspec.json.decode(shown, type=type(value) if isinstance(value, Struct) else dict)

    def _delta(self, event: Delta) -> list[Event]:
        at = event.choice, event.index
        if at not in self._unmaskers:
            if not event.text.strip():
                return [event]  # whether it is JSON is not seen yet
            self._unmaskers[at] = self._session.unmasker(in_json=self._is_json(self._open.get(at), event.text))
        text = self._unmaskers[at].push(event.text)
        return [replace(event, text=text)] if text or event.logprobs or event.data else []

    def _is_json(self, block: Block | None, text: str) -> bool:
        if type(block) is ToolCall:
            return block.kind == "function"
        return type(block) is Text and is_json(text, self._asked())

    def _rest(self, choice: int, index: int) -> list[Event]:
        unmasker = self._unmaskers.pop((choice, index), None)
        rest = "" if unmasker is None else unmasker.finish()
        return [Delta(index=index, text=rest, choice=choice)] if rest else []
