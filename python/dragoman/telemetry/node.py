"""The figures of a node: what several workers on one port have counted, as one.

A scrape is answered by whichever worker the kernel gives it to. Every worker keeps its figures in a file of its own in
the data directory, each second and whenever it is asked; the one that is asked adds up what is in all of them. Nobody
is waited for, so a worker that hangs or is gone holds up no scrape: its last figures stand there. (Asking each other by
sockets would be exact to the instant, but what a dead worker had counted would be gone.)

Counters and histograms are sums. What a worker had counted when it died its successor goes on from, and until then it
is read from the file, so a node's sums never fall while the node runs; what was counted in the second before a kill is
lost. They begin anew with the node: a reset as Prometheus understands it. Gauges are sums, or the highest, or told by
worker, as each family says, and of those workers alone that have been heard of lately.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from dragoman.telemetry.metrics import Family, Labels, gauge

FOLDER = "figures"
TELL_EVERY_S = 1.0
# Telling many series takes long: a worker spends no more than this share of its time on it.
TELLING_SHARE = 0.02
# A worker is not heard of any more when it has missed so many turns.
MISSED = 4
log = logging.getLogger("dragoman")


class Told(Struct, frozen=True):
    """What a worker's file says."""

    run: str  # of which life of the node
    until_s: float  # by the monotonic clock, which all processes share: till then the worker counts as alive
    families: list[Family]


_decode = msgspec.msgpack.Decoder(Told).decode


class NodeFigures:
    """One worker's part of it. May be used from any thread."""

    def __init__(self, directory: Path, run: str, worker: int, workers: int, own: Callable[[], list[Family]]) -> None:
        """:param own: this process's figures.
        :param run: what tells this life of the node from others.
        """
        self._folder = directory / FOLDER
        self._run = run
        self._worker = worker
        self._workers = workers
        self._own = own
        self._pause_s = TELL_EVERY_S
        self._lock = Lock()
        self._failing = False
        before = self._read(worker)
        self._before = [] if before is None else [family for family in before.families if family.kind != "gauge"]

    def tell(self) -> float:
        """Write this worker's figures down; says in how many seconds they should be again."""
        self._tell()
        return self._pause_s

    def gather(self) -> list[Family]:
        """The figures of all workers, as they have told them, and which of them are heard of."""
        mine = self._tell()
        found = {number: self._read(number) for number in range(self._workers)} | {self._worker: mine}
        now_s = time.monotonic()
        lives = {number for number, told in found.items() if told is not None and told.until_s >= now_s}
        parts = [
            (number, [one for one in told.families if number in lives or one.kind != "gauge"])
            for number, told in found.items()
            if told is not None
        ]
        up: list[tuple[Labels, float]] = [((("worker", str(one)),), one in lives) for one in range(self._workers)]
        return [*merged(parts), gauge("worker_up", "Whether a worker's figures are of now", up)]

    def _tell(self) -> Told:
        # What is written later is never of earlier: a sum would fall.
        with self._lock:
            began_s = time.monotonic()
            families = merged([(self._worker, self._before), (self._worker, self._own())], as_told=True)
            told = Told(self._run, began_s + MISSED * self._pause_s, families)
            try:
                self._write(msgspec.msgpack.encode(told))
                self._failing = False
            except OSError as error:
                if not self._failing:
                    log.warning("the figures for /metrics cannot be written: %s", error.strerror)
                self._failing = True
            self._pause_s = max(TELL_EVERY_S, (time.monotonic() - began_s) / TELLING_SHARE)
            return told

    def _write(self, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        draft = self._folder / f"{self._worker}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
        draft.replace(self._folder / str(self._worker))

    def _read(self, worker: int) -> Told | None:
        """What a worker has told in this life of the node."""
        try:
            told = _decode((self._folder / str(worker)).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        return told if told.run == self._run else None


def merged(parts: Iterable[tuple[int, Sequence[Family]]], *, as_told: bool = False) -> list[Family]:
    """Families of several workers, each once.

    :param as_told: of one worker: nothing is labelled yet.
    """
    families: dict[str, Family] = {}
    figures: dict[str, dict[tuple[str, Labels], float]] = {}
    for worker, found in parts:
        for family in found:
            families.setdefault(family.name, family)
            sums = figures.setdefault(family.name, {})
            by_worker = family.over == "each" and not as_told
            for name, labels, value in family.samples:
                key = name, ((("worker", str(worker)), *labels) if by_worker else labels)
                known = sums.get(key)
                if known is None:
                    sums[key] = value
                else:
                    sums[key] = max(known, value) if family.over == "max" else known + value
    return [
        msgspec.structs.replace(family, samples=[(*key, value) for key, value in figures[name].items()])
        for name, family in families.items()
    ]
