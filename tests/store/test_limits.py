from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import insert, text

from dragoman.config.limiting import Limit
from dragoman.config.schema import Store as Settings
from dragoman.errors import ConfigError, StoreError
from dragoman.store.engine import Store, open_store
from dragoman.store.limits import StoredLimits, list_figures, list_limits, remove_limit, set_limit
from dragoman.store.tables import ledger


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {}, role="server")
    yield opened
    opened.close()


def test_set_changed_and_removed(store: Store) -> None:
    set_limit(store.engine, "b", Limit(requests=1), now_ms=1)
    set_limit(store.engine, "a", Limit(cost_usd=2.5, of=("team",)), now_ms=1)
    set_limit(store.engine, "b", Limit(requests=2), now_ms=2)
    assert list_limits(store.engine) == {"a": Limit(cost_usd=2.5, of=("team",)), "b": Limit(requests=2)}
    assert (remove_limit(store.engine, "b"), remove_limit(store.engine, "b")) == (True, False)
    assert list(list_limits(store.engine)) == ["a"]


def test_what_is_none_is_not_stored(store: Store) -> None:
    with pytest.raises(ConfigError, match="limits nothing"):
        set_limit(store.engine, "a", Limit(), now_ms=1)


def test_a_server_knows_what_has_changed(store: Store) -> None:
    told: list[Mapping[str, Limit]] = []
    known = StoredLimits(store.engine, told.append)
    assert known.refresh()
    assert told == []
    set_limit(store.engine, "a", Limit(requests=1), now_ms=1)
    assert known.refresh()
    assert known.refresh()
    remove_limit(store.engine, "a")
    assert known.refresh()
    assert told == [{"a": Limit(requests=1)}, {}]


def test_what_is_known_stays_while_the_database_is_away(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Mapping[str, Limit]] = []
    known = StoredLimits(store.engine, told.append)
    set_limit(store.engine, "a", Limit(requests=1), now_ms=1)
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE limits RENAME TO elsewhere"))
    assert not known.refresh()
    assert "cannot be read" in caplog.text
    with pytest.raises(StoreError):
        list_limits(store.engine)
    with pytest.raises(StoreError):
        set_limit(store.engine, "a", Limit(requests=1), now_ms=1)
    with pytest.raises(StoreError):
        remove_limit(store.engine, "a")
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO limits"))
    assert known.refresh()
    assert told == [{"a": Limit(requests=1)}]


def test_figures_that_count(store: Store) -> None:
    row = {"name": "a", "measure": "cost", "period": "day", "who": "x", "slot_ms": 1, "spent": 5, "claimed": 9}
    with store.engine.begin() as connection:
        connection.execute(insert(ledger).values(ends_ms=100, **row))
    (figure,) = list_figures(store.engine, 99)
    assert (figure.name, figure.who, figure.spent, figure.ends_ms) == ("a", "x", 5, 100)
    assert list(list_figures(store.engine, 100)) == []
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE ledger"))
    with pytest.raises(StoreError, match="figures cannot be read"):
        list_figures(store.engine, 1)
