"""Looks at a stream while it comes: nothing leaves that has not been looked at.

Text is looked at with what came before it, so that what is split is seen, and the last of it is held back, so that
what only its end betrays has not left by then. A tool's arguments are held until they are whole: half of a call does
nothing, and a whole one that is refused has done nothing either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Cited,
    Delta,
    Event,
    Finished,
    Opaque,
    Passed,
    Proved,
    ToolCall,
)
from dragoman.guardrails.passages import strings
from dragoman.guardrails.verdict import Passage

if TYPE_CHECKING:
    from dragoman.config.guards import Place
    from dragoman.guardrails.verdict import Finding

# What texts are refused for, if for anything.
Refuses = Callable[[list[Passage]], "Finding | None"]
# How much of what has left is looked at again with what follows, and how much of what has come is held back, in
# characters.
OVERLAP = 256
HELD = 80
# Text is looked at when so much of it has come that was not.
STEP = 48
# What a stream's end says where a guardrail ended it.
NATIVE_STOP = "guardrail"


class _Open(Struct):
    """A block that is not whole."""

    started: BlockStarted
    left: str = ""  # the end of what has left
    held: list[Delta] = []
    length: int = 0  # of what is held, in characters
    told: bool = False  # whether its start has left
    new: int = 0  # characters that were not looked at

    @property
    def is_call(self) -> bool:
        return type(self.started.block) is ToolCall

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.held)


class Window:
    """The events of one stream."""

    def __init__(self, refuses: Refuses) -> None:
        self._refuses = refuses
        self._open: dict[tuple[int, int], _Open] = {}
        self.cut = False  # whether it has been ended

    def events(self, events: list[Event], *, more: bool = False) -> list[Event]:
        """What of the events may leave now.

        :param more: others have come already and follow: texts are looked at with them.
        """
        if self.cut:
            return []
        passed: list[Event] = []
        for event in events:
            self._take(event, passed)
        if not more and not self.cut:
            self._look(passed)
        return passed

    def look(self) -> list[Event]:
        """Look at all texts that have come, however little of them is new; what may leave then."""
        passed: list[Event] = []
        if not self.cut:
            self._look(passed, 1)
        return passed

    @property
    def held(self) -> int:
        """How many characters have come and not left; all of a call's, and one for its start."""
        return sum(block.length + (not block.told) for block in self._open.values())

    def _take(self, event: Event, passed: list[Event]) -> None:
        if self.cut:
            return
        if type(event) is Delta and (block := self._open.get((event.choice, event.index))) is not None:
            block.held.append(event)
            block.length += len(event.text)
            block.new += len(event.text)
            return
        at = (getattr(event, "choice", 0), getattr(event, "index", -1))
        if type(event) is BlockStarted:
            self._open[at] = _Open(event, held=[])
            self._look_whole(event, passed)
        elif type(event) is BlockStopped or type(event) is Proved:
            self._release(at, passed)
            if not self.cut:
                passed.append(event)
            if type(event) is BlockStopped:
                self._open.pop(at, None)
        elif type(event) is Finished:
            for open_at in [key for key in self._open if key[0] == event.choice]:
                self._release(open_at, passed)
            if not self.cut:
                passed.append(event)
        elif type(event) is Passed or type(event) is Cited:
            self._take_whole(event, passed)
        else:
            passed.append(event)

    def _take_whole(self, event: Passed | Cited, passed: list[Event]) -> None:
        """What comes whole, after all that came before it."""
        for at in [key for key, block in self._open.items() if not block.is_call]:
            self._release(at, passed)
        told = event.raw if type(event) is Passed else msgspec.to_builtins(event.citation)  # type: ignore[union-attr]
        found = [Passage("output", text) for text in strings(told) if text]
        if self.cut:
            return
        if found and self._refuses(found) is not None:
            self._cut(0, passed)
        else:
            passed.append(event)

    def _look_whole(self, event: BlockStarted, passed: list[Event]) -> None:
        """A block that comes whole, or a call, whose name is known at once."""
        block = event.block
        found = [Passage("output", text) for text in strings(block.raw)] if type(block) is Opaque else []
        if type(block) is ToolCall:
            found = [Passage("tool_arguments", block.name)]
        if found and self._refuses(found) is not None:
            self._cut(event.choice, passed)
        elif not self._open[event.choice, event.index].is_call:
            self._tell(self._open[event.choice, event.index], passed)

    def _look(self, passed: list[Event], least: int = STEP) -> None:
        """Look at all open texts, and let go of what need not be held.

        :param least: characters of a text that are new, else it can wait.
        """
        for block in list(self._open.values()):
            if block.is_call or block.new < least:
                continue
            block.new = 0
            if self._refuses([Passage("output", block.left + block.text)]) is not None:
                return self._cut(block.started.choice, passed)
            self._let_go(block, block.length - HELD, passed)
        return None

    def _let_go(self, block: _Open, characters: int, passed: list[Event]) -> None:
        while block.held and len(block.held[0].text) <= characters:
            delta = block.held.pop(0)
            characters -= len(delta.text)
            block.length -= len(delta.text)
            block.left = (block.left + delta.text)[-OVERLAP:]
            passed.append(delta)
        if characters > 0 and block.held and block.held[0].data is None and block.held[0].logprobs is None:
            first = block.held[0]
            block.held[0] = replace(first, text=first.text[characters:])
            block.length -= characters
            block.left = (block.left + first.text[:characters])[-OVERLAP:]
            passed.append(replace(first, text=first.text[:characters]))

    def _release(self, at: tuple[int, int], passed: list[Event]) -> None:
        """A block is whole: look at the rest, and let go of it."""
        block = self._open.get(at)
        if block is None:
            return
        place: Place = "tool_arguments" if block.is_call else "output"
        text = block.left + block.text
        if block.held and self._refuses([Passage(place, text)]) is not None:
            return self._cut(at[0], passed)
        self._tell(block, passed)
        passed += block.held
        block.held, block.length = [], 0
        block.left = text[-OVERLAP:]
        return None

    @staticmethod
    def _tell(block: _Open, passed: list[Event]) -> None:
        if not block.told:
            block.told = True
            passed.append(block.started)

    def _cut(self, choice: int, passed: list[Event]) -> None:
        """End the stream, as its dialect ends one that was filtered."""
        self.cut = True
        for (of, index), block in self._open.items():
            if block.told:
                passed.append(BlockStopped(index=index, choice=of))
        passed.append(Finished(stop="filter", native_stop=NATIVE_STOP, choice=choice))
