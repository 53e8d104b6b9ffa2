"""The guardrails that are for the same requests, sorted by what they look at: done once, used by many requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.config.guards import OnStream
    from dragoman.guardrails.called.asked import CalledGuard
    from dragoman.guardrails.guard import Guard
    from dragoman.guardrails.harmless import Harmless
    from dragoman.guardrails.masking import Hider
    from dragoman.guardrails.screen import Screen

AnyGuard = TypeVar("AnyGuard", "Guard", "CalledGuard")
# Where an answer's texts stand.
OF_ANSWERS = frozenset({"output", "tool_arguments"})


class OfAnswers(Struct, frozen=True):
    """Those that look at answers, and at answers that are streamed."""

    guards: tuple[Guard, ...]
    called: tuple[CalledGuard, ...]
    windows: tuple[Guard, ...]  # of a stream, as it comes
    shown: tuple[CalledGuard, ...]  # windows of it
    held: tuple[Guard, ...]  # all of it
    called_held: tuple[CalledGuard, ...]
    skipping: tuple[Guard | CalledGuard, ...]  # nothing of it

    @property
    def holds(self) -> bool:
        """Whether nothing of a stream leaves before all of it has come."""
        return bool(self.held or self.called_held)

    @property
    def in_streams(self) -> bool:
        """Whether anybody looks at streams."""
        return bool(self.windows or self.shown) or self.holds


def _of(guards: tuple[AnyGuard, ...], how: OnStream) -> tuple[AnyGuard, ...]:
    return tuple(guard for guard in guards if guard.on_stream == how)


class Applied(Struct, kw_only=True):
    """Such a set."""

    hiders: tuple[Hider, ...]
    guards: tuple[Guard, ...]
    called: tuple[CalledGuard, ...]
    has_canary: bool
    screen: Screen
    harmless: Harmless
    identity: bytes
    of_answers: OfAnswers = OfAnswers((), (), (), (), (), (), ())

    def __post_init__(self) -> None:
        guards = tuple(guard for guard in self.guards if guard.places & OF_ANSWERS)
        called = tuple(guard for guard in self.called if guard.places & OF_ANSWERS)
        self.of_answers = OfAnswers(
            guards=guards,
            called=called,
            windows=_of(guards, "windows"),
            shown=_of(called, "windows"),
            held=_of(guards, "hold"),
            called_held=_of(called, "hold"),
            skipping=(*_of(guards, "skip"), *_of(called, "skip")),
        )
