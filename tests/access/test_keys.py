from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.keys import FORGET_EVERY_S, TRUSTED_FOR_S, KeyRing
from dragoman.access.principal import ANONYMOUS
from dragoman.access.secret import create_secret, hash_secret
from dragoman.access.stored import CHILDREN_KEPT_MS, create_key, list_keys, revoke_key
from dragoman.config.schema import Key
from dragoman.errors import ConfigError, StoreError
from dragoman.store.engine import Store

PEPPER = bytes(range(32))


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = 1_800_000_000.0


def ring(store: Store, *declared: Key, loopback: bool = True, clock: Clock | None = None) -> KeyRing:
    at = clock or Clock()
    return KeyRing(
        store.engine,
        PEPPER,
        declared,
        loopback=loopback,
        monotonic_s=lambda: at.monotonic,
        wall_s=lambda: at.wall,
    )


def move_away(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_away")


def move_back(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE meta_away RENAME TO meta")


def test_declared_and_stored_keys_are_found(store: Store) -> None:
    secret = create_secret()
    created = create_key(store.engine, PEPPER, Key(name="stored", team="t"), now_ms=1)
    keys = ring(store, Key(name="declared", secret=secret))
    declared, stored = keys.find(secret), keys.find(created.secret)
    assert declared is not None and declared.key_id == "config:declared"
    assert stored is not None and (stored.key_id, stored.team) == (created.key.id, "t")
    assert keys.total == 2


@pytest.mark.parametrize("secret", [None, "", "dgk_", "x" * 512, "x" * 513, "x" * 10_000_000, "\ud800", "dgk_\x00"])
def test_what_is_no_key_finds_nobody(store: Store, secret: str | None) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    assert ring(store).find(secret) is None


def test_no_text_is_a_key_by_chance(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    keys = ring(store)

    @given(st.text(max_size=80))
    def finds_nobody(text: str) -> None:
        assert keys.find(text) is None

    finds_nobody()


def test_a_near_miss_finds_nobody(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    keys = ring(store)
    for wrong in (created.secret[:-1], created.secret + " ", created.secret.lower(), created.secret.upper()):
        assert keys.find(wrong) is None


def test_the_hash_itself_is_no_secret(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    assert ring(store).find(created.hash) is None


def test_an_open_door_only_without_any_key_and_only_on_loopback(store: Store) -> None:
    assert ring(store).find(None) is ANONYMOUS
    assert ring(store).find("sk-anything") is ANONYMOUS
    assert ring(store, loopback=False).find(None) is None
    assert ring(store, Key(name="a", secret=create_secret())).find(None) is None


def test_the_first_key_shuts_the_door_and_revoking_it_does_not_open_it(store: Store) -> None:
    keys = ring(store)
    assert keys.is_open
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    assert keys.refresh()
    assert keys.find(None) is None
    revoke_key(store.engine, "a", now_ms=2)
    assert keys.refresh()
    assert keys.find(None) is None
    assert keys.find(created.secret) is None
    assert not ring(store).is_open


def test_a_key_made_or_revoked_elsewhere_holds_with_the_next_refresh(store: Store) -> None:
    keys = ring(store, loopback=False)
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    assert keys.find(created.secret) is None
    assert keys.refresh()
    assert keys.find(created.secret) is not None
    code = (
        "import sys\nfrom dragoman.access.stored import revoke_key\nfrom dragoman.config.schema import Store\n"
        "from dragoman.store.engine import open_store\n"
        "revoke_key(open_store(Store(data_dir=sys.argv[1]), {}, role='visitor').engine, 'a', now_ms=2)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(store.directory)], check=True)
    assert keys.refresh()
    assert keys.find(created.secret) is None


def test_expiry_is_by_the_clock_at_the_time_of_use(store: Store) -> None:
    clock = Clock()
    secret = create_secret()
    keys = ring(store, Key(name="a", secret=secret, expires="2027-01-15T08:00:00Z"), clock=clock)
    assert clock.wall == 1_800_000_000.0  # 2027-01-15T08:00:00Z
    assert keys.find(secret) is None
    clock.wall -= 0.001
    assert keys.find(secret) is not None


def test_declaring_anew_replaces_the_files_keys_only(store: Store) -> None:
    old, new = create_secret(), create_secret()
    created = create_key(store.engine, PEPPER, Key(name="stored"), now_ms=1)
    keys = ring(store, Key(name="old", secret=old))
    keys.declare([Key(name="new", secret=new)])
    assert keys.find(old) is None
    assert keys.find(new) is not None
    assert keys.find(created.secret) is not None


def test_bad_declared_keys_change_nothing(store: Store) -> None:
    old = create_secret()
    keys = ring(store, Key(name="old", secret=old))
    with pytest.raises(ConfigError):
        keys.declare([Key(name="bad")])
    assert keys.find(old) is not None


def test_a_declared_key_beats_a_stored_one_with_the_same_secret(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="stored"), now_ms=1)
    found = ring(store, Key(name="file", hash=created.hash, team="t")).find(created.secret)
    assert found is not None and found.team == "t"


def test_while_the_database_is_away_keys_are_trusted_for_five_minutes(store: Store) -> None:
    clock = Clock()
    secret = create_secret()
    created = create_key(store.engine, PEPPER, Key(name="stored"), now_ms=1)
    keys = ring(store, Key(name="file", secret=secret), clock=clock)
    move_away(store)
    clock.monotonic += TRUSTED_FOR_S
    assert not keys.refresh()
    assert keys.find(created.secret) is not None
    clock.monotonic += 1
    assert not keys.refresh()
    assert keys.stale_s == TRUSTED_FOR_S + 1
    assert keys.find(created.secret) is None
    assert keys.find(secret) is not None
    assert not keys.is_open
    move_back(store)
    assert keys.refresh()
    assert keys.find(created.secret) is not None
    assert keys.stale_s == 0


def test_a_database_that_cannot_be_read_at_first_is_an_error(store: Store) -> None:
    move_away(store)
    with pytest.raises(StoreError):
        ring(store)


def test_another_pepper_at_start_is_an_error(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    with pytest.raises(StoreError, match="pepper"):
        KeyRing(store.engine, bytes(32), [], loopback=True)


def test_last_use_is_written_in_one_go_and_only_for_stored_keys(store: Store) -> None:
    secret = create_secret()
    one = create_key(store.engine, PEPPER, Key(name="one"), now_ms=1)
    create_key(store.engine, PEPPER, Key(name="two"), now_ms=2)
    keys = ring(store, Key(name="file", secret=secret))
    for used in (one.secret, one.secret, secret, "wrong"):
        keys.find(used)
    assert [key.last_used_at_ms for key in list_keys(store.engine)] == [None, None]
    assert keys.save_last_used()
    assert [key.last_used_at_ms for key in list_keys(store.engine)] == [1_800_000_000_000, None]
    assert keys.save_last_used()


def test_last_use_that_could_not_be_written_is_kept(store: Store) -> None:
    one = create_key(store.engine, PEPPER, Key(name="one"), now_ms=1)
    keys = ring(store)
    keys.find(one.secret)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE keys RENAME TO keys_away")
    assert not keys.save_last_used()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE keys_away RENAME TO keys")
    assert keys.save_last_used()
    assert list_keys(store.engine)[0].last_used_at_ms is not None


def test_a_look_up_of_a_wrong_key_never_reaches_the_database(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    keys = ring(store)
    store.engine.dispose()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE keys")
    assert keys.find(create_secret()) is None


def test_the_look_up_is_by_the_keyed_hash(store: Store) -> None:
    secret = create_secret()
    keys = ring(store, Key(name="a", hash=hash_secret(secret, PEPPER).hex()))
    assert keys.find(secret) is not None
    other = KeyRing(store.engine, bytes(32), [Key(name="a", hash=hash_secret(secret, PEPPER).hex())], loopback=True)
    assert other.find(secret) is None


def test_children_that_are_long_over_are_forgotten(store: Store) -> None:
    clock = Clock()
    now_ms = int(clock.wall * 1000)
    parent = create_key(store.engine, PEPPER, Key(name="p"), now_ms=1).key.id
    week_ms, moment = CHILDREN_KEPT_MS, "2020-01-01T00:00:00Z"
    for name, expires, maker in (
        ("gone", moment, parent),
        ("own", moment, ""),
        ("living", "2100-01-01T00:00:00Z", parent),
        ("ended", "2100-01-01T00:00:00Z", parent),
        ("just ended", "2100-01-01T00:00:00Z", parent),
    ):
        create_key(store.engine, PEPPER, Key(name=name, expires=expires), now_ms=1, parent=maker)
    revoke_key(store.engine, "ended", now_ms=now_ms - week_ms - 1)
    revoke_key(store.engine, "just ended", now_ms=now_ms - week_ms + 1)
    keys = ring(store, clock=clock)
    assert keys.save_last_used()
    assert len(list_keys(store.engine)) == 6
    clock.monotonic += FORGET_EVERY_S
    assert keys.save_last_used()
    assert {key.name for key in list_keys(store.engine)} == {"p", "own", "living", "just ended"}
