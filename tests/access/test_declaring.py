from __future__ import annotations

import pytest
from sqlalchemy import Engine

from dragoman.access.declaring import changes, flat, make
from dragoman.config.declaration import Declaration
from dragoman.config.entities import App, Grants, Organisation, Role, Team, User
from dragoman.config.limiting import Limit
from dragoman.errors import ConfigError, StoreError
from dragoman.store.engine import Store
from dragoman.store.entities import change_entity

WHOLE = Declaration(
    organisations=(Organisation(name="acme"),),
    roles=(Role(name="smith", organisation="acme", permissions=("keys.read",)),),
    teams=(Team(name="shop", organisation="acme", grants=Grants(allow=("a",))),),
    users=(User(name="eve", organisation="acme", role="smith", teams={"shop": "member"}),),
    apps=(App(name="till", organisation="acme", team="shop"),),
    limits={"each": Limit(requests=1)},
)


def made(engine: Engine, declaration: Declaration, *, prune: bool = False) -> list[str]:
    found = changes(engine, declaration, prune=prune)
    for change in found:
        make(engine, change)
    return [f"{change.verb} {change.kind}" for change in found]


def test_what_is_declared_comes_to_be(store: Store) -> None:
    kinds = ("organisation", "role", "team", "user", "app", "limit")
    assert made(store.engine, WHOLE) == [f"create {kind}" for kind in kinds]
    assert changes(store.engine, WHOLE, prune=True) == []


def test_what_is_not_declared_stays_unless_it_is_pruned(store: Store) -> None:
    made(store.engine, WHOLE)
    assert changes(store.engine, Declaration()) == []
    assert made(store.engine, Declaration(), prune=True) == [
        f"remove {kind}" for kind in ("limit", "app", "user", "team", "role", "organisation")
    ]
    assert changes(store.engine, Declaration(), prune=True) == []


def test_a_change_that_another_makes_meanwhile_is_not_undone(store: Store) -> None:
    made(store.engine, WHOLE)
    (change,) = changes(store.engine, Declaration(teams=(Team(name="shop", organisation="acme"),)))
    change_entity(store.engine, WHOLE.teams[0], Team(name="shop", organisation="acme", title="T"), now_ms=1)
    with pytest.raises(StoreError, match="meanwhile"):
        make(store.engine, change)


def test_acts_have_the_names_that_others_have(store: Store) -> None:
    acts = [change.act for change in changes(store.engine, WHOLE)]
    assert acts[0] == "organisation.create"
    assert acts[-1] == "limit.set"


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        (Declaration(teams=(Team(name="t"), Team(name="t", title="x"))), "declared twice"),
        (Declaration(roles=(Role(name="owner", permissions=()),)), "built in"),
        (Declaration(roles=(Role(name="r", permissions=("x.y",)),)), "'x.y' is none"),
    ],
)
def test_what_cannot_be(store: Store, declaration: Declaration, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        changes(store.engine, declaration)


def test_fields_are_told_as_they_differ() -> None:
    assert flat(WHOLE.teams[0]) == {"name": '"shop"', "organisation": '"acme"', "grants.allow": '["a"]'}
