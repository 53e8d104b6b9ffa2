from __future__ import annotations

import pytest

from dragoman.errors import StoreError
from dragoman.store.configs import StoredConfig, add_config, find_config_version, list_configs
from dragoman.store.engine import Store


def test_versions_are_kept_and_the_newest_counts(store: Store) -> None:
    known = StoredConfig(store.engine)
    assert (known.version, known.text) == (0, "")
    changes: list[int] = []
    known.changed = lambda: changes.append(known.version)
    for body in ("a: 1", "b: 2"):
        add_config(store.engine, body, author="eve", note="why", now_ms=5)
    assert known.refresh()
    assert (known.version, known.text, changes) == (2, "b: 2", [2])
    assert known.refresh()
    assert changes == [2]
    assert [(one.version, one.body, one.author) for one in list_configs(store.engine)] == [
        (2, "b: 2", "eve"),
        (1, "a: 1", "eve"),
    ]
    assert [one.version for one in list_configs(store.engine, before=2)] == [1]
    found = find_config_version(store.engine, 1)
    assert found is not None and found.note == "why"
    assert find_config_version(store.engine, 3) is None
    assert StoredConfig(store.engine).text == "b: 2"


def test_without_a_database_what_is_known_stays(store: Store) -> None:
    add_config(store.engine, "a: 1", author="", note="", now_ms=5)
    known = StoredConfig(store.engine)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE configs")
    assert not known.refresh()
    assert known.text == "a: 1"
    with pytest.raises(StoreError):
        list_configs(store.engine)
    with pytest.raises(StoreError):
        add_config(store.engine, "a: 1", author="", note="", now_ms=5)
