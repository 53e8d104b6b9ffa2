"""What requests come to: the figures that reports tell and rollups keep. ``core.UsageBatch`` says what a row adds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from dragoman.core import Quantiles

NANO = 1_000_000_000
LARGEST_ADDED = 10**15  # a million dollars, in one request: one absurd figure of a provider must not overflow a sum


class Sums(Struct, kw_only=True):
    """What a group of rows comes to. ``cost_nanousd`` is of the priced rows; ``unpriced`` ones used tokens too."""

    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cached_audio_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    cost_nanousd: int = 0
    unpriced: int = 0
    hits: int = 0  # answers that were given again; their tokens are counted above, and cost nothing
    saved_tokens: int = 0  # of those, prompts and answers
    saved_nanousd: int = 0  # what they had cost
    total_us: int = 0
    latency: Quantiles = field(default_factory=Quantiles)  # ms
    first_token: Quantiles = field(default_factory=Quantiles)  # ms, of streams that had one

    def add(self, counts: Iterable[int | None]) -> None:
        """Add figures in the order of ``COUNTED``."""
        for name, more in zip(COUNTED, counts, strict=True):
            if more:
                setattr(self, name, getattr(self, name) + int(more))  # PostgreSQL sums whole numbers into decimals

    def include(self, other: Sums) -> None:
        """Add other sums."""
        self.add(getattr(other, name) for name in COUNTED)
        self.latency.merge(other.latency.encoded())
        self.first_token.merge(other.first_token.encoded())

    @property
    def mean_ms(self) -> float:
        """The mean of the whole time."""
        return self.total_us / 1000 / self.requests if self.requests else 0.0

    def percentile_ms(self, share: float) -> float:
        """The time that ``share`` of the requests took at most, to within 5 %."""
        return self.latency.quantile(share) or 0.0

    def told(self) -> dict[str, int | str | float]:
        """Everything, for machines."""
        figures: dict[str, int | str | float] = {}
        for name in COUNTED:
            if name != "total_us":
                value = getattr(self, name)
                figures[name.replace("_nanousd", "_usd")] = dollars(value) if name.endswith("_nanousd") else value
        return figures | {
            "mean_ms": round(self.mean_ms, 1),
            "p50_ms": round(self.percentile_ms(0.5), 1),
            "p95_ms": round(self.percentile_ms(0.95), 1),
            "p99_ms": round(self.percentile_ms(0.99), 1),
            "first_token_p50_ms": round(self.first_token.quantile(0.5) or 0.0, 1),
            "first_token_p95_ms": round(self.first_token.quantile(0.95) or 0.0, 1),
        }


COUNTED = tuple(name for name in Sums.__struct_fields__ if name not in ("latency", "first_token"))


def dollars(cost_nanousd: int) -> str:
    """Exactly: all nine decimals."""
    sign = "-" if cost_nanousd < 0 else ""
    whole, rest = divmod(abs(cost_nanousd), NANO)
    return f"{sign}{whole}.{rest:09d}"


class Group(Struct, frozen=True):
    """One line of a report: the values of the dimensions, in the order asked for, and the sums."""

    values: tuple[str, ...]
    sums: Sums


class Report(Struct, frozen=True):
    """The groups, and the whole. Groups by tag may come to more: a row counts for each of its tags."""

    groups: list[Group]
    whole: Sums


class Groups:
    """Sums by the values of dimensions, while a report is made."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, ...], Sums] = {}

    def __getitem__(self, values: tuple[Any, ...]) -> Sums:
        sums = self.found.get(values)
        if sums is None:
            sums = self.found[values] = Sums()
        return sums
