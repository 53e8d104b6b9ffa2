from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.telemetry import node as node_module
from dragoman.telemetry.metrics import Family, Histogram, counter, gauge
from dragoman.telemetry.node import NodeFigures, merged

MODEL = (("model", "m"),)


class Worker:
    """One that counts, and its part of the node's figures."""

    def __init__(self, directory: Path, number: int, run: str = "life") -> None:
        self.requests = 0
        self.times = Histogram((1.0, 2.0))
        self.node = NodeFigures(directory, run, number, 3, self.families)
        self.number = number

    def families(self) -> list[Family]:
        """What it has counted."""
        return [
            counter("requests_total", "Requests", [(MODEL, self.requests)]),
            Family("dragoman_seconds", "histogram", "Times", list(self.times.samples("dragoman_seconds", MODEL))),
            gauge("waiting", "Waiting", [((), 10)]),
            gauge("breaker", "Breaker", [(MODEL, self.number)], "max"),
            gauge("snapshot", "Snapshot", [((), self.number)], "each"),
        ]

    def count(self, *seconds: float) -> None:
        """Requests that took so long."""
        for one in seconds:
            self.requests += 1
            self.times.observe([one * 1000])

    def gathered(self) -> dict[tuple[str, str], float]:
        """What a scrape of it says."""
        found = {}
        for family in self.node.gather():
            for name, labels, value in family.samples:
                text = ",".join(f"{label}={said}" for label, said in labels if label != "model")
                assert (name, text) not in found
                found[name.removeprefix("dragoman_"), text] = value
        return found


@pytest.fixture
def workers(tmp_path: Path) -> list[Worker]:
    """Three, of which each has told the others."""
    found = [Worker(tmp_path, number) for number in range(3)]
    for number, worker in enumerate(found):
        worker.count(*[0.5, 1.5, 2.5][: number + 1])
        worker.node.tell()
    return found


def test_sums_maxima_and_figures_of_each(workers: list[Worker]) -> None:
    for worker in workers:
        found = worker.gathered()
        assert found["requests_total", ""] == found["seconds_count", ""] == 6
        assert [found["seconds_bucket", f"le={bound}"] for bound in ("1", "2", "+Inf")] == [3, 5, 6]
        assert found["seconds_sum", ""] == 3 * 0.5 + 2 * 1.5 + 2.5
        assert found["waiting", ""] == 30
        assert found["breaker", ""] == 2
        assert [found["snapshot", f"worker={number}"] for number in range(3)] == [0, 1, 2]
        assert [found["worker_up", f"worker={number}"] for number in range(3)] == [1, 1, 1]


def test_one_is_asked_for_what_it_has_counted_since(workers: list[Worker]) -> None:
    workers[0].count(0.1)
    assert workers[0].gathered()["requests_total", ""] == 7
    assert workers[1].gathered()["requests_total", ""] == 7


def test_what_a_dead_worker_had_counted_stays(workers: list[Worker], tmp_path: Path) -> None:
    dead = workers.pop()
    assert dead.requests == 3
    assert workers[0].gathered()["requests_total", ""] == 6
    for _ in range(3):  # and dies again
        successor = Worker(tmp_path, 2)
        assert successor.gathered()["requests_total", ""] == 6
    successor.count(0.1, 0.1)
    found = successor.gathered()
    assert found["requests_total", ""] == found["seconds_count", ""] == 8
    assert found["waiting", ""] == 30  # what it had in line is gone with it


def test_one_that_is_not_heard_of_keeps_its_counts_but_has_nothing_in_line(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "MISSED", -1)  # what is told is old at once
    workers[1].node.tell()
    monkeypatch.undo()
    found = workers[0].gathered()
    assert found["requests_total", ""] == 6
    assert found["waiting", ""] == 20
    assert ("snapshot", "worker=1") not in found
    assert [found["worker_up", f"worker={number}"] for number in range(3)] == [1, 0, 1]


def test_another_life_of_the_node_begins_anew(workers: list[Worker], tmp_path: Path) -> None:
    assert workers
    found = Worker(tmp_path, 1, run="next").gathered()
    assert found["requests_total", ""] == 0
    assert [found["worker_up", f"worker={number}"] for number in range(3)] == [0, 1, 0]


def test_what_cannot_be_read_is_not_there(workers: list[Worker], tmp_path: Path) -> None:
    (tmp_path / "figures" / "1").write_bytes(b"half a f")
    assert workers[0].gathered()["requests_total", ""] == 4


def test_one_that_cannot_write_still_tells_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "figures").write_text("in the way")
    worker = Worker(tmp_path, 0)
    worker.count(0.1)
    assert worker.gathered()["requests_total", ""] == worker.gathered()["requests_total", ""] == 1
    assert len(caplog.records) == 1


def test_others_on_the_machine_do_not_read_it(workers: list[Worker], tmp_path: Path) -> None:
    assert workers
    assert (tmp_path / "figures").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "figures" / "0").stat().st_mode & 0o777 == 0o600


def test_many_series_are_told_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(tmp_path, 0)
    assert worker.node.tell() == node_module.TELL_EVERY_S
    monkeypatch.setattr(node_module, "TELLING_SHARE", 1e-9)
    assert worker.node.tell() > node_module.TELL_EVERY_S


def test_nothing_of_nobody() -> None:
    assert merged([]) == []
