"""Waiting, where a test has no driver, for what wakes by a call."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

from dragoman.core import Asked, Hold, Ledger, LedgerScope, Refused, SharedLedger

PATIENCE_S = 10.0
T = TypeVar("T")


def answered(asked: Asked[T]) -> T:
    """What was asked for, once it is there."""
    done = threading.Event()
    asked.on_done(lambda _: done.set())
    assert done.wait(PATIENCE_S), "there is no answer"
    try:
        next(iter(asked))
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("it called back too early")


def reserve(ledger: Ledger | SharedLedger, scope: LedgerScope, **amounts: int) -> Hold | Refused | list[Any] | None:
    """What a ledger answers, wherever it counts."""
    if isinstance(ledger, Ledger):
        return ledger.reserve(scope, **amounts)
    return answered(ledger.reserve(scope, **amounts))
