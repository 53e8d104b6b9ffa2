from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from dragoman.access.stored import create_key, read_generation, revoke_key
from dragoman.config.entities import App, Entity, Grants, Kind, Organisation, Role, Team, User
from dragoman.config.schema import Key
from dragoman.errors import NameTaken, NotThere, StillUsed, StoreError
from dragoman.store.engine import Store
from dragoman.store.entities import (
    change_entity,
    create_entity,
    find_entity,
    list_entities,
    missing_places,
    remove_entity,
)

PEPPER = bytes(range(32))


def made(engine: Engine, *entities: Entity) -> None:
    for entity in entities:
        create_entity(engine, entity, now_ms=1)


@pytest.fixture
def engine(store: Store) -> Engine:
    return store.engine


def test_what_is_stored_is_found_again(engine: Engine) -> None:
    team = Team(name="t", organisation="acme", grants=Grants(allow=("a*",)), metadata={"k": "v"})
    made(engine, Organisation(name="acme"), team)
    assert find_entity(engine, "team", "acme", "t") == team
    assert find_entity(engine, "team", "", "t") is None
    assert find_entity(engine, "app", "acme", "t") is None


def test_every_change_counts_up_what_servers_look_at(engine: Engine) -> None:
    seen = [read_generation(engine)]
    made(engine, Team(name="t"))
    seen.append(read_generation(engine))
    assert change_entity(engine, Team(name="t"), Team(name="t", title="T"), now_ms=2)
    seen.append(read_generation(engine))
    assert remove_entity(engine, "team", "", "t")
    seen.append(read_generation(engine))
    assert len(set(seen)) == 4
    assert not remove_entity(engine, "team", "", "t")
    assert read_generation(engine) == seen[-1]


def test_two_who_change_the_same_do_not_undo_each_other(engine: Engine) -> None:
    made(engine, Team(name="t"))
    assert change_entity(engine, Team(name="t"), Team(name="t", title="first"), now_ms=2)
    assert not change_entity(engine, Team(name="t"), Team(name="t", title="second"), now_ms=2)
    found = find_entity(engine, "team", "", "t")
    assert found is not None and found.title == "first"


def test_names_are_told_apart_by_organisation(engine: Engine) -> None:
    made(engine, Organisation(name="a"), Organisation(name="b"), Team(name="t", organisation="a"))
    made(engine, Team(name="t", organisation="b"))
    with pytest.raises(NameTaken, match="a team named 't'"):
        made(engine, Team(name="t", organisation="b"))
    assert [one.organisation for one in list_entities(engine, "team") if isinstance(one, Team)] == ["a", "b"]
    assert len(list_entities(engine, "team", "a")) == 1


def test_a_tenant_s_name_is_not_another_s(engine: Engine) -> None:
    made(engine, Organisation(name="acme"), Team(name="solo"))
    with pytest.raises(NameTaken):
        made(engine, Team(name="acme"))
    with pytest.raises(NameTaken):
        made(engine, Organisation(name="solo"))
    made(engine, Team(name="acme", organisation="acme"))  # within one, it is no tenant


def test_lists_go_on_where_they_stopped(engine: Engine) -> None:
    made(engine, *(Team(name=f"t{number}") for number in range(5)))
    first = list_entities(engine, "team", limit=3)
    rest = list_entities(engine, "team", after=("", first[-1].name), limit=3)
    assert [one.name for one in (*first, *rest)] == ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize(
    "entity",
    [
        Team(name="n", organisation="nowhere"),
        App(name="n", organisation="acme", team="nowhere"),
        User(name="n", organisation="acme", teams={"t": "member", "nowhere": "admin"}),
    ],
)
def test_what_it_is_in_must_be_there(engine: Engine, entity: Any) -> None:
    made(engine, Organisation(name="acme"), Team(name="t", organisation="acme"))
    with pytest.raises(NotThere, match=r"there is no (team|organisation) 'nowhere'"):
        made(engine, entity)
    assert find_entity(engine, "user", "acme", "n") is None


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("organisation", "acme", "that of the app 'a'"),
        ("team", "t", "that of the app 'a'"),
        ("role", "smith", "that of the user 'u'"),
    ],
)
def test_what_something_is_in_stays(engine: Engine, kind: Kind, name: str, words: str) -> None:
    made(
        engine,
        Organisation(name="acme"),
        Team(name="t", organisation="acme"),
        App(name="a", organisation="acme", team="t"),
        Role(name="smith", organisation="acme", permissions=("keys.write",)),
        User(name="u", organisation="acme", role="smith"),
    )
    with pytest.raises(StillUsed, match=words):
        remove_entity(engine, kind, "acme", name)


def test_what_has_keys_stays_until_they_are_revoked(engine: Engine) -> None:
    made(engine, Organisation(name="acme"), User(name="u", organisation="acme"))
    key = create_key(engine, PEPPER, Key(name="k", organisation="acme", user="u"), now_ms=1)
    for kind, name in (("user", "u"), ("organisation", "acme")):
        with pytest.raises(StillUsed, match="keys that are not revoked"):
            remove_entity(engine, kind, "acme", name)  # type: ignore[arg-type]
    revoke_key(engine, key.key.id, now_ms=2)
    assert remove_entity(engine, "user", "acme", "u")
    assert remove_entity(engine, "organisation", "acme", "acme")


def test_missing_places_are_named(engine: Engine) -> None:
    made(engine, Role(name="clerk", permissions=()), Organisation(name="acme"))
    with engine.connect() as connection:
        assert missing_places(connection, "acme", team="", role="clerk") == []
        assert missing_places(connection, "acme", team="x") == ["team: there is no team 'x' in acme"]
        assert missing_places(connection, "gone") == ["organisation: there is no organisation 'gone'"]


def test_a_database_that_is_gone_says_so(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE entities")
    for call in (
        lambda: find_entity(engine, "team", "", "t"),
        lambda: list_entities(engine, "team"),
        lambda: made(engine, Organisation(name="o")),
        lambda: change_entity(engine, Team(name="t"), Team(name="t"), now_ms=1),
        lambda: remove_entity(engine, "team", "", "t"),
    ):
        with pytest.raises(StoreError):
            call()
