"""What a stream has said, gathered for those who judge it: all of it once it is whole, or window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.dialects.canonical import BlockStarted, BlockStopped, Cited, Delta, Opaque, Passed, Reasoning, ToolCall
from dragoman.guardrails.passages import of_citation, strings
from dragoman.guardrails.verdict import Passage
from dragoman.guardrails.window import OVERLAP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dragoman.config.guards import Place
    from dragoman.dialects.canonical import Block, Event


class _Said(Struct):
    """A text that grows."""

    choice: int
    is_call: bool = False
    is_aside: bool = False
    is_whole: bool = False
    parts: list[str] = []
    length: int = 0
    shown: int = 0  # characters of it that have been in a window

    @property
    def unseen(self) -> int:
        """How much of it a window would show anew: of a call nothing before it is whole."""
        return self.length - self.shown if self.is_whole or not self.is_call else 0

    @property
    def passage(self) -> Passage:
        place: Place = "tool_arguments" if self.is_call else "output"
        return Passage(place, "".join(self.parts), "assistant", self.choice, self.is_aside)

    def add(self, text: str) -> _Said:
        """More of it."""
        self.parts.append(text)
        self.length += len(text)
        return self

    def forget(self) -> None:
        """Remember no more of it than the next window begins with."""
        self.parts = ["".join(self.parts)[-OVERLAP:]]
        self.length = self.shown = len(self.parts[0])


class Heard:
    """One stream, as its provider tells it: what was hidden from that one is hidden here."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], _Said] = {}
        self._said: list[_Said] = []

    def note(self, event: Event) -> None:
        """One more event."""
        if type(event) is Delta:
            at = event.choice, event.index
            if at not in self._open:
                self._begin(at, _Said(event.choice))
            self._open[at].add(event.text)
        elif type(event) is BlockStarted:
            self._started(event.block, (event.choice, event.index))
        elif type(event) is BlockStopped and (said := self._open.pop((event.choice, event.index), None)) is not None:
            said.is_whole = True
        elif type(event) is Passed:
            self._told(strings(event.raw))
        elif type(event) is Cited:
            self._told(of_citation(event.citation), event.choice)

    def _started(self, block: Block, at: tuple[int, int]) -> None:
        if type(block) is Opaque:
            self._told(strings(block.raw), at[0])
        elif type(block) is ToolCall:
            self._begin(at, _Said(at[0], is_call=True).add(block.name + "\n"))
        else:
            self._begin(at, _Said(at[0], is_aside=type(block) is Reasoning))

    def _begin(self, at: tuple[int, int], said: _Said) -> None:
        self._open[at] = said
        self._said.append(said)

    def _told(self, texts: Iterable[str], choice: int = 0) -> None:
        self._said += [_Said(choice, is_aside=True, is_whole=True).add(text) for text in texts if text]

    @property
    def passages(self) -> list[Passage]:
        """All of it."""
        return [said.passage for said in self._said if said.length]

    @property
    def said(self) -> str:
        """The words of the first answer alone."""
        own = (one for one in self._said if not (one.choice or one.is_call or one.is_aside))
        return "".join(part for one in own for part in one.parts)

    @property
    def unseen(self) -> int:
        """How many characters no window has shown."""
        return sum(said.unseen for said in self._said)

    def window(self) -> list[Passage]:
        """What no window has shown, with the end of what came before it, which is all that is remembered of it."""
        showing = [said for said in self._said if said.unseen]
        shown = [said.passage for said in showing]
        for said in showing:
            said.forget()
        self._said = [said for said in self._said if said.unseen or not said.is_whole]
        return shown
