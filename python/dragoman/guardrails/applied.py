"""The guardrails that are for the same requests, sorted by what they look at: done once, used by many requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dragoman.config.guards import OnStream, Place
    from dragoman.core import Sieve
    from dragoman.guardrails.called.asked import CalledGuard
    from dragoman.guardrails.guard import Guard
    from dragoman.guardrails.harmless import Harmless
    from dragoman.guardrails.masking import Hider
    from dragoman.guardrails.screen import Screen
    from dragoman.guardrails.verdict import Allowed, Verdict

AnyGuard = TypeVar("AnyGuard", "Guard", "CalledGuard")
# Where an answer's texts stand.
OF_ANSWERS = frozenset({"output", "tool_arguments"})


class Concerned(NamedTuple):
    """Of some guardrails those that look at certain places."""

    unruled: tuple[Guard, ...]  # which have to look even where no rule of any finds a thing
    allows: dict[str, Verdict]  # what is noted of each where it finds nothing


class Guards:
    """Some guardrails, in order."""

    __slots__ = ("_concerned", "all")

    def __init__(self, guards: Iterable[Guard] = ()) -> None:
        self.all = tuple(guards)
        self._concerned: dict[frozenset[Place], Concerned] = {}

    def concerned(self, places: frozenset[Place]) -> Concerned:
        """Those that look at one of the places."""
        known = self._concerned.get(places)
        if known is None:
            looking = [guard for guard in self.all if guard.places & places]
            unruled = tuple(guard for guard in looking if guard.rules is None)
            known = self._concerned[places] = Concerned(unruled, {guard.name: guard.allows for guard in looking})
        return known

    def __bool__(self) -> bool:
        return bool(self.all)


class OfAnswers(Struct, frozen=True):
    """Those that look at answers, and at answers that are streamed."""

    guards: Guards
    called: tuple[CalledGuard, ...]
    windows: Guards  # of a stream, as it comes
    shown: tuple[CalledGuard, ...]  # windows of it
    held: Guards  # all of it
    called_held: tuple[CalledGuard, ...]
    skipping: tuple[Guard | CalledGuard, ...]  # nothing of it
    in_whole: bool  # whether anybody looks at answers that come whole
    in_streams: bool  # the same of streams
    whole: bool  # whether somebody has to see all of a stream
    holds: bool  # whether nothing of it leaves before that: not for those who would only tell of it
    repair: bool  # whether an answer may be asked for once more


def _of(guards: tuple[AnyGuard, ...], how: OnStream) -> tuple[AnyGuard, ...]:
    return tuple(guard for guard in guards if guard.on_stream == how)


def of_answers(guards: Iterable[Guard], called: Iterable[CalledGuard]) -> OfAnswers:
    """Of some guardrails those that look at answers."""
    within = tuple(guard for guard in guards if guard.places & OF_ANSWERS)
    asked = tuple(guard for guard in called if guard.places & OF_ANSWERS)
    skipping: tuple[Guard | CalledGuard, ...] = (*_of(within, "skip"), *_of(asked, "skip"))
    windows, held = _of(asked, "windows"), _of(within, "hold")
    shown = tuple(one for one in windows if not one.shadow)
    called_held = (*_of(asked, "hold"), *(one for one in windows if one.shadow))
    return OfAnswers(
        guards=Guards(within),
        called=asked,
        windows=Guards(_of(within, "windows")),
        shown=shown,
        held=Guards(held),
        called_held=called_held,
        skipping=skipping,
        in_whole=bool(within or asked),
        in_streams=len(skipping) < len(within) + len(asked),
        whole=bool(held or called_held),
        holds=any(one.blocks and not one.shadow for one in held)
        or any((one.blocks or one.closed) and not one.shadow for one in called_held),
        repair=any(guard.repairs for guard in within),
    )


class Applied(Struct, frozen=True, kw_only=True):
    """Such a set."""

    hiders: tuple[Hider, ...]
    guards: Guards
    called: tuple[CalledGuard, ...]
    of_answers: OfAnswers
    has_canary: bool
    screen: Screen
    harmless: Harmless
    requests: Sieve  # what lets requests through in which there is nothing to hide
    tells_all: bool  # and nothing to be found by anybody, where it is said so
    answers: Sieve | None  # the same for whole answers to these; None: somebody has to look
    unmasked: Allowed  # what is noted where there was nothing to hide, nothing to be found, nothing in the answer
    passed: Allowed
    answered: Allowed
    identity: bytes
