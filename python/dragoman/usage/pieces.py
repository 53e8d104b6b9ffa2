"""Cuts a period into the largest steps that are kept of it.

From 10:58:30 on the 1st to 12:00:10 on the 3rd is half a minute of rows, a minute, thirteen hours, one day, twelve
hours, and ten seconds of rows: six short readings in place of all rows of two days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """Part of a period, from ``since_ms`` (included) to ``until_ms`` (not included); ``None``: there is no end."""

    step_s: int | None  # of the rollups to read; None: the rows
    since_ms: int | None
    until_ms: int | None


class Step(NamedTuple):
    """A size of rollups, and from when on there are any."""

    step_s: int
    from_ms: int | None = None


def cut(since_ms: int | None, until_ms: int | None, steps: Sequence[Step]) -> Iterator[Piece]:
    """The pieces of a period, with the largest of ``steps`` first among these."""
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        return
    if not steps:
        yield Piece(None, since_ms, until_ms)
        return
    step, smaller = steps[0], steps[1:]
    size_ms = step.step_s * 1000
    begin_ms = since_ms if step.from_ms is None else max(step.from_ms, -(2**63) if since_ms is None else since_ms)
    first_ms = None if begin_ms is None else -(-begin_ms // size_ms) * size_ms
    last_ms = None if until_ms is None else until_ms // size_ms * size_ms
    if first_ms is not None and last_ms is not None and first_ms >= last_ms:
        yield from cut(since_ms, until_ms, smaller)
        return
    if first_ms is not None:
        yield from cut(since_ms, first_ms, smaller)
    yield Piece(step.step_s, first_ms, last_ms)
    if last_ms is not None:
        yield from cut(last_ms, until_ms, smaller)
