from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import OperationalError

from dragoman.store import behind as module
from dragoman.store.behind import Recent, WriteBehind


def test_what_is_submitted_is_written_in_its_order() -> None:
    written: list[int] = []
    behind = WriteBehind("numbers")
    for number in range(20):
        behind.submit(lambda number=number: written.append(number))  # type: ignore[misc]
    behind.close()
    assert written == list(range(20))
    assert behind.lost == 0


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    gate, written = threading.Event(), []
    behind = WriteBehind("numbers")
    behind.submit(lambda: gate.wait(20) and written.append(0))  # type: ignore[func-returns-value]
    for number in range(1, 10):
        behind.submit(lambda number=number: written.append(number))  # type: ignore[misc]
    gate.set()
    behind.close()
    assert len(written) + behind.lost == 10
    assert 5 <= behind.lost <= 7


def test_a_database_that_fails_loses_what_it_was_to_write() -> None:
    def fail() -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    behind = WriteBehind("numbers")
    behind.submit(fail)
    with pytest.raises(OperationalError):
        behind.wait_for(fail)
    behind.close()
    assert behind.lost == 1


def test_the_oldest_is_forgotten_first() -> None:
    recent: Recent[int] = Recent(3, 100)
    for number in range(5):
        recent.put(("t", str(number)), number, 10)
    assert [recent.get(("t", str(number))) for number in range(5)] == [None, None, 2, 3, 4]
    recent.put(("t", "large"), 9, 95)
    assert recent.get(("t", "4")) is None
    assert recent.get(("t", "large")) == 9


def test_an_item_is_replaced_and_taken_out() -> None:
    recent: Recent[int] = Recent(3, 100)
    recent.put(("t", "a"), 1, 60)
    recent.put(("t", "a"), 2, 60)
    recent.put(("t", "b"), 3, 40)
    assert (recent.get(("t", "a")), recent.get(("t", "b"))) == (2, 3)
    recent.pop(("t", "a"))
    assert ("t", "a") not in recent
