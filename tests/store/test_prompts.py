from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from dragoman.config.prompting import Turn, Variable, Version
from dragoman.config.schema import Store as Settings
from dragoman.errors import ConfigError
from dragoman.store.engine import Store, open_store
from dragoman.store.prompts import StoredPrompts, add_prompt, list_prompts, remove_prompt


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {}, role="server")
    yield opened
    opened.close()


def version(words: str) -> Version:
    return Version(messages=(Turn(role="system", text=words),))


def test_versions_are_numbered(store: Store) -> None:
    for name, number in (("a", 1), ("a", 2), ("b", 1)):
        assert add_prompt(store.engine, name, version(name), now_ms=5).version == number
    assert [(one.id, one.version, one.created_at_ms) for one in list_prompts(store.engine)] == [
        ("a", 1, 5),
        ("a", 2, 5),
        ("b", 1, 5),
    ]


def test_what_is_none_is_not_stored(store: Store) -> None:
    with pytest.raises(ConfigError, match="used and not among"):
        add_prompt(store.engine, "a", version("{{x}}"), now_ms=0)
    with pytest.raises(ConfigError, match="is not used"):
        bad = Version(messages=(Turn(role="user", text="x"),), variables={"y": Variable()})
        add_prompt(store.engine, "a", bad, now_ms=0)
    assert list_prompts(store.engine) == []


def test_a_server_knows_what_has_changed(store: Store) -> None:
    known = StoredPrompts(store.engine)
    assert known.find("a") is None
    add_prompt(store.engine, "a", version("one"), now_ms=0)
    add_prompt(store.engine, "a", version("two"), now_ms=0)
    assert known.find("a") is None
    assert known.refresh()
    found = known.find("a")
    assert found is not None
    assert (found.usual, found.versions["1"].messages[0].text) == ("2", "one")
    assert remove_prompt(store.engine, "a", 2) == 1
    assert known.refresh()
    left = known.find("a")
    assert left is not None
    assert left.usual == "1"
    assert remove_prompt(store.engine, "a") == 1
    assert remove_prompt(store.engine, "a") == 0
    assert known.refresh()
    assert known.find("a") is None


def test_what_is_known_stays_while_the_database_cannot_be_read(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    add_prompt(store.engine, "a", version("one"), now_ms=0)
    known = StoredPrompts(store.engine)
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE meta RENAME TO gone"))
    assert not known.refresh()
    assert known.find("a") is not None
    assert "cannot be read" in caplog.text
