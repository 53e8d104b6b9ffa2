"""An answer on its way to the client: looked at, and what was hidden shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.dialects.canonical import BlockStarted, BlockStopped, Choice, Finished, Metered, Started
from dragoman.guardrails.window import NATIVE_STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.dialects.canonical import Answer, Event
    from dragoman.guardrails.reveal import RevealStream
    from dragoman.guardrails.window import Window


class OutgoingStream:
    """The events of one stream, as the client may see them."""

    def __init__(self, window: Window | None, reveals: Sequence[RevealStream]) -> None:
        self._window = window
        self._reveals = reveals

    def events(self, events: list[Event], *, more: bool = False) -> list[Event]:
        """What may leave now.

        :param more: others have come already and follow.
        """
        if self._window is not None:
            events = self._window.events(events, more=more)
        return self.revealed(events)

    def look(self) -> list[Event]:
        """Look at what has come before something that must not wait for more of it; what may leave then."""
        return [] if self._window is None else self.revealed(self._window.look())

    def revealed(self, events: list[Event]) -> list[Event]:
        """Events that need not be looked at any more, with what was hidden."""
        for reveal in self._reveals:
            events = reveal.events(events)
        return events

    @property
    def held(self) -> int:
        """How many characters have come and may not leave yet."""
        return 0 if self._window is None else self._window.held

    @property
    def cut(self) -> bool:
        """Whether a guardrail has ended it."""
        return self._window is not None and self._window.cut


def ended(left: list[Event], unsent: list[Event]) -> list[Event]:
    """What ends a stream that is refused, as its dialect ends one that was filtered.

    :param left: what has left of it, but for texts.
    :param unsent: what has come and may not leave, of which its beginning and its usage are told.
    """
    opened = {(event.choice, event.index) for event in left if type(event) is BlockStarted}
    opened -= {(event.choice, event.index) for event in left if type(event) is BlockStopped}
    stopped = [BlockStopped(index=index, choice=choice) for choice, index in sorted(opened)]
    choices = {event.choice for event in (*left, *unsent) if type(event) is BlockStarted} or {0}
    choices -= {event.choice for event in left if type(event) is Finished}
    return [
        *(event for event in unsent if type(event) is Started),
        *stopped,
        *(Finished(stop="filter", native_stop=NATIVE_STOP, choice=choice) for choice in sorted(choices)),
        *(event for event in unsent if type(event) is Metered),
    ]


def blocked_answer(answer: Answer) -> Answer:
    """What is left of an answer that is refused: that it was."""
    indexes = [choice.index for choice in answer.choices]
    blocked = [Choice(blocks=(), stop="filter", native_stop=NATIVE_STOP, index=index) for index in indexes]
    # Of no dialect: what its own has beside the canonical form may be what was refused.
    return replace(answer, dialect="", choices=tuple(blocked), extra={})
