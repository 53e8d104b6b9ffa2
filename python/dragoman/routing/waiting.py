"""The line before deployments that are full.

Whoever has waited least for its weight comes next, team by team (start-time fair queueing: Goyal, Vin and Cheng, 1996):
a team with ten times as many requests waits ten times as long, and the others as if it were not there. The line is
bounded; when it is full, the team that has most in it for its weight gives up its last place, so that nobody can fill
it for others. A place does not outlast its request's deadline.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.driver import CalledBack

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dragoman.access.principal import Principal
    from dragoman.config.queueing import Queue

MOST_TEAMS = 4096


class Place:
    """One request's place in the line."""

    __slots__ = ("_left", "called", "members", "number", "start", "team")

    def __init__(self, team: str, members: frozenset[int], start: float, number: int) -> None:
        self.team = team
        self.members = members
        self.start = start  # the virtual time at which it is due
        self.number = number
        self.called: Callable[[bool], None] = _nobody
        self._left = [True]  # taken by whoever ends the waiting, from whatever thread

    def __lt__(self, other: Place) -> bool:
        return (self.start, self.number) < (other.start, other.number)

    def end(self, served: bool) -> None:  # noqa: FBT001 - as it is called
        """End the waiting, once."""
        try:
            self._left.pop()
        except IndexError:
            return
        self.called(served)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return not self._left


class Line:
    """All who wait in one process."""

    def __init__(self, loop: AbstractEventLoop, settings: Queue) -> None:
        self.settings = settings
        self.waited = 0
        self.turned_away = 0
        self._loop = loop
        self._lock = Lock()
        self._places: list[Place] = []
        self._virtual = 0.0
        self._finish: dict[str, float] = {}  # when each team's last place is over, in virtual time
        self._count = 0

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._places)

    def is_before(self, members: Iterable[int]) -> bool:
        """Whether somebody waits for any of these already."""
        if not self._places:
            return False
        wanted = frozenset(members)
        with self._lock:
            return any(not wanted.isdisjoint(place.members) for place in self._places)

    async def wait(
        self, principal: Principal, members: frozenset[int], deadline_s: float, has_room: Callable[[], bool]
    ) -> bool:
        """Wait until one of the members may have room; ``False``: in vain.

        :param deadline_s: monotonic.
        :param has_room: one of them has now; asked once the place is taken, so that none is freed unseen.
        """
        seconds = min(self.settings.max_wait_s, deadline_s - monotonic())
        place = self._enter(team_of(principal), members) if seconds > 0 else None
        if place is None:
            self.turned_away += 1
            return False
        served = await CalledBack(partial(self._begin, place, seconds, has_room))
        with self._lock:
            if place in self._places:
                self._places.remove(place)
        self.waited += served
        self.turned_away += not served
        return served

    def freed(self, *members: int) -> None:
        """One of these has room for one more: whoever is next for it comes up."""
        if not self._places:
            return
        with self._lock:
            place = next((one for one in self._places if not one.members.isdisjoint(members)), None)
            if place is not None:
                self._places.remove(place)
                self._virtual = max(self._virtual, place.start)
        if place is not None:
            place.end(True)  # noqa: FBT003 - as it is called

    def _begin(
        self, place: Place, seconds: float, has_room: Callable[[], bool], called: Callable[[bool], None]
    ) -> None:
        place.called = called
        if place.is_over:  # before anybody listened
            called(False)  # noqa: FBT003 - as it is called
            return
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, place.end, False)  # noqa: FBT003
        if has_room():
            self.freed(*place.members)

    def _enter(self, team: str, members: frozenset[int]) -> Place | None:
        """A place at the end of a team's own line; ``None``: there is none."""
        evicted = None
        with self._lock:
            if len(self._places) >= self.settings.max_waiting:
                evicted = self._longest(team)
                if evicted is None:
                    return None
                self._places.remove(evicted)
            if len(self._finish) >= MOST_TEAMS:
                self._finish = {one: due for one, due in self._finish.items() if due > self._virtual}
            start = max(self._virtual, self._finish.get(team, 0.0))
            self._finish[team] = start + 1 / self._weight(team)
            self._count += 1
            place = Place(team, members, start, self._count)
            insort(self._places, place)
        if evicted is not None:
            evicted.end(False)  # noqa: FBT003 - as it is called
        return place

    def _longest(self, newcomer: str) -> Place | None:
        """The last place of the team that has most for its weight; ``None``: the newcomer's, which has as many."""
        counts: dict[str, float] = {}
        for place in self._places:
            counts[place.team] = counts.get(place.team, 0.0) + 1 / self._weight(place.team)
        team = max(counts, key=lambda one: counts[one], default=newcomer)
        mine = counts.get(newcomer, 0.0) + 1 / self._weight(newcomer)
        if team == newcomer or mine >= counts[team]:
            return None
        return next(place for place in reversed(self._places) if place.team == team)

    def _weight(self, team: str) -> float:
        weights = self.settings.weights
        return weights.get(team) or weights.get(team.partition("/")[2]) or 1.0


def team_of(principal: Principal) -> str:
    """Whom a place counts for: the team, within its organisation; a key of none, for itself."""
    if principal.organisation and principal.team:
        return f"{principal.organisation}/{principal.team}"
    return principal.team or principal.organisation or principal.family


def _nobody(_: bool) -> None:  # noqa: FBT001 - as it is called
    """Nobody listens yet."""
