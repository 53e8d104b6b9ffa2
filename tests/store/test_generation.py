from __future__ import annotations

from collections.abc import Iterator

import pytest

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store, open_store
from dragoman.store.generation import count_up, generations
from dragoman.store.meta import read_meta


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {}, role="server")
    yield opened
    opened.close()


def test_it_counts_up(store: Store) -> None:
    with store.engine.begin() as connection:
        for expected in ("1", "2"):
            count_up(connection, "x")
            assert read_meta(connection, "x") == expected
        assert read_meta(connection, "y") == ""


def test_all_of_them(store: Store) -> None:
    with store.engine.begin() as connection:
        count_up(connection, "keys_generation")
        count_up(connection, "else")
    assert generations(store.engine) == {"keys_generation": "1"}
