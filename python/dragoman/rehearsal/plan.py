"""A plan: everything that the server will send for one request, and when. Playing it needs no more thought."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from msgspec import Struct

Headers = list[tuple[str, str]]
EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"


class Step(Struct, frozen=True):
    """Bytes, and the pause before them."""

    delay_s: float
    data: bytes


class Plan(Struct, frozen=True, kw_only=True):
    """An answer in steps. ``delay_s`` passes before the headers leave.

    ``closes`` ends the connection instead of the body: ``announced`` bytes were promised and fewer were sent. Granian
    offers no way to reset a connection, but its HTTP library closes one whose body falls short of its length.
    """

    status: int = 200
    headers: Headers
    steps: list[Step]
    delay_s: float = 0.0
    streams: bool = False
    closes: bool = False
    announced: int | None = None

    @property
    def in_one(self) -> bool:
        """Whether it can be sent at once, as an ordinary answer."""
        return not self.streams and len(self.steps) == 1 and not self.closes

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return sum(len(step.data) for step in self.steps)


class Pace(Struct, frozen=True):
    """How fast tokens come."""

    first_s: float
    gap_s: float
    jitter: float
    chance: Random

    def first(self) -> float:
        """The time to the first token."""
        return self.first_s * self._stray()

    def gaps(self, parts: Iterable[bytes]) -> list[Step]:
        """``parts``, the first at once, each other after a gap."""
        steps = [Step(self.gap_s * self._stray(), part) for part in parts]
        if steps:
            steps[0] = Step(0.0, steps[0].data)
        return steps

    def _stray(self) -> float:
        return 1.0 + self.jitter * (2.0 * self.chance.random() - 1.0)
