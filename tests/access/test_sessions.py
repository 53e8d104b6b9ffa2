from __future__ import annotations

import pytest
from sqlalchemy import select

from dragoman.access.rights import Entities
from dragoman.access.roles import ROLES
from dragoman.access.sessions import HOUR_MS, Person, Sessions, host_of
from dragoman.config.entities import User
from dragoman.config.signing_in import Login
from dragoman.errors import StoreError
from dragoman.store.engine import Store
from dragoman.store.tables import sessions

PEPPER = bytes(range(32))
EVE = Person(key_id="jwt:sso:1", name="eve", organisation="acme", team="", user="eve", role="admin", is_mapped=False)
NOBODY = Entities()
HERE = "10.0.0.1:5000"


@pytest.fixture
def kept(store: Store) -> Sessions:
    return Sessions(store.engine, PEPPER, Login(hours=8, idle_hours=2))


def test_a_session_is_found_from_where_it_began(kept: Sessions, store: Store) -> None:
    secret, ends_ms = kept.begin(EVE, HERE, now_ms=0)
    principal = kept.find(secret, "10.0.0.1:6000", NOBODY, now_ms=1)
    assert principal is not None
    assert (principal.user, principal.role, principal.permissions) == ("eve", "admin", ROLES["admin"])
    assert ends_ms == 8 * HOUR_MS
    with store.engine.connect() as connection:
        assert secret.encode() not in bytes(connection.execute(select(sessions.c.hash)).scalar_one())


def test_it_ends_elsewhere_and_for_good(kept: Sessions) -> None:
    secret, _ = kept.begin(EVE, HERE, now_ms=0)
    assert kept.find(secret, "10.0.0.2:5000", NOBODY, now_ms=1) is None
    assert kept.find(secret, HERE, NOBODY, now_ms=2) is None


def test_it_ends_when_nobody_uses_it(kept: Sessions) -> None:
    secret, _ = kept.begin(EVE, HERE, now_ms=0)
    for hour in (1.9, 3.8, 5.7, 7.6):
        assert kept.find(secret, HERE, NOBODY, now_ms=round(hour * HOUR_MS)) is not None
    assert kept.find(secret, HERE, NOBODY, now_ms=8 * HOUR_MS) is None
    other, _ = kept.begin(EVE, HERE, now_ms=0)
    assert kept.find(other, HERE, NOBODY, now_ms=2 * HOUR_MS + 1) is None


def test_logging_out_ends_it(kept: Sessions) -> None:
    secret, _ = kept.begin(EVE, HERE, now_ms=0)
    kept.end(secret)
    assert kept.find(secret, HERE, NOBODY, now_ms=1) is None
    assert kept.find("dgs_made-up", HERE, NOBODY, now_ms=1) is None


def test_a_role_that_changes_counts_at_once(kept: Sessions) -> None:
    secret, _ = kept.begin(EVE, HERE, now_ms=0)
    viewer = Entities([User(name="eve", organisation="acme", role="viewer")])
    principal = kept.find(secret, HERE, viewer, now_ms=1)
    assert principal is not None and principal.permissions == ROLES["viewer"]
    assert kept.find(secret, HERE, Entities([User(name="eve", organisation="acme", disabled=True)]), now_ms=2) is None
    mapped, _ = kept.begin(
        Person(**{name: getattr(EVE, name) for name in EVE.__struct_fields__} | {"is_mapped": True}), HERE, now_ms=0
    )
    principal = kept.find(mapped, HERE, viewer, now_ms=1)
    assert principal is not None and principal.permissions == ROLES["admin"]  # as the group has it


def test_without_a_database_it_says_so(kept: Sessions, store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sessions")
    for call in (
        lambda: kept.begin(EVE, HERE, now_ms=0),
        lambda: kept.find("dgs_x", HERE, NOBODY, now_ms=0),
        lambda: kept.end("x"),
    ):
        with pytest.raises(StoreError):
            call()


def test_hosts() -> None:
    assert (host_of("10.0.0.1:5"), host_of("[::1]:5"), host_of("x")) == ("10.0.0.1", "[::1]", "x")
