from __future__ import annotations

import msgspec
import pytest

from dragoman.config.queueing import Queue


@pytest.mark.parametrize(
    "fields",
    [{"max_waiting": -1}, {"max_wait_s": 0}, {"weights": {"shop": 0}}, {"weights": {"shop": 101}}, {"teams": {}}],
)
def test_what_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, Queue)


def test_nobody_may_wait() -> None:
    assert msgspec.convert({"max_waiting": 0}, Queue).max_waiting == 0
