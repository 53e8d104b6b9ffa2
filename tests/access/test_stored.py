from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from dragoman.access.principal import Principal
from dragoman.access.secret import check_secret, hash_secret
from dragoman.access.stored import (
    create_key,
    list_keys,
    load_keys,
    read_generation,
    revoke_key,
    rotate_key,
    save_last_used,
    switch_key,
)
from dragoman.config.schema import Key
from dragoman.errors import ConfigError, StoreError
from dragoman.store.engine import Store
from dragoman.store.tables import keys

PEPPER = bytes(range(32))
INJECTIONS = ["' OR 1=1 --", '"; DROP TABLE keys; --', "%", "_", "k%", "a' UNION SELECT 1 --", "\\", "\x00"]


def broken(store: Store) -> Store:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE keys")
        connection.exec_driver_sql("DROP TABLE meta")
    return store


def test_a_key_is_created_with_all_its_fields(store: Store) -> None:
    wanted = Key(
        name="ci",
        allow=("gpt-*", "x"),
        admin=True,
        expires="2030-01-01T00:00:00Z",
        organisation="o",
        team="t",
        user="u",
        app="p",
        tags=("b", "a"),
        max_deadline_s=1.5,
        max_retries=3,
        allow_fallbacks=False,
        allow_no_log=True,
    )
    created = create_key(store.engine, PEPPER, wanted, now_ms=7)
    assert check_secret(created.secret)
    assert created.hash == hash_secret(created.secret, PEPPER).hex()
    assert list_keys(store.engine) == [created.key]
    loaded = load_keys(store.engine, PEPPER)
    principal = loaded.principals[bytes.fromhex(created.hash)]
    assert principal == Principal(
        key_id=created.key.id,
        name="ci",
        organisation="o",
        team="t",
        user="u",
        app="p",
        tags=("a", "b"),
        admin=True,
        allow=("gpt-*", "x"),
        expires_at_ms=1_893_456_000_000,
        max_deadline_s=1.5,
        max_retries=3,
        allow_fallbacks=False,
        allow_no_log=True,
    )
    assert created.key.created_at_ms == 7


def test_the_secret_is_nowhere_in_the_files(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    content = b"".join(path.read_bytes() for path in store.directory.iterdir())
    assert created.secret[10:].encode() not in content
    assert bytes.fromhex(created.hash) in content


def test_a_name_in_use_is_refused_and_a_revoked_one_free(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    with pytest.raises(StoreError, match="key named 'a' already"):
        create_key(store.engine, PEPPER, Key(name="a"), now_ms=2)
    revoke_key(store.engine, "a", now_ms=3)
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=4)
    assert [key.revoked_at_ms for key in list_keys(store.engine)] == [3, None]


def test_bad_fields_are_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="no comma"):
        create_key(store.engine, PEPPER, Key(name="a", tags=("x,y",)), now_ms=1)
    assert list_keys(store.engine) == []


def test_a_key_is_revoked_by_id_or_name_once(store: Store) -> None:
    one = create_key(store.engine, PEPPER, Key(name="one"), now_ms=1)
    two = create_key(store.engine, PEPPER, Key(name="two"), now_ms=1)
    for name, created in (("one", one), (two.key.id, two)):
        revoked = revoke_key(store.engine, name, now_ms=5)
        assert revoked is not None and (revoked.id, revoked.revoked_at_ms) == (created.key.id, 5)
        again = revoke_key(store.engine, name, now_ms=9)
        assert again is not None and again.revoked_at_ms == 5
    assert load_keys(store.engine, PEPPER).principals == {}
    assert load_keys(store.engine, PEPPER).total == 2


def test_revoking_by_name_takes_the_key_in_force(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    revoke_key(store.engine, "a", now_ms=2)
    second = create_key(store.engine, PEPPER, Key(name="a"), now_ms=3)
    revoked = revoke_key(store.engine, "a", now_ms=4)
    assert revoked is not None and revoked.id == second.key.id
    assert [key.revoked_at_ms for key in list_keys(store.engine)] == [2, 4]


@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_in_a_name_is_taken_for_sql(store: Store, text: str) -> None:
    kept = create_key(store.engine, PEPPER, Key(name="kept"), now_ms=1)
    assert revoke_key(store.engine, text, now_ms=2) is None
    if text.isprintable():
        created = create_key(store.engine, PEPPER, Key(name=text, team=text, allow=(text,), tags=("t",)), now_ms=3)
        assert created.key in list_keys(store.engine)
        revoke_key(store.engine, text, now_ms=4)
    assert next(iter(load_keys(store.engine, PEPPER).principals.values())).key_id == kept.key.id


def test_each_change_of_rights_is_a_new_generation(store: Store) -> None:
    seen = [read_generation(store.engine)]
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    seen.append(read_generation(store.engine))
    revoke_key(store.engine, "a", now_ms=2)
    seen.append(read_generation(store.engine))
    assert len(set(seen)) == 3
    revoke_key(store.engine, "a", now_ms=3)
    revoke_key(store.engine, "none", now_ms=3)
    save_last_used(store.engine, [], now_ms=3)
    assert read_generation(store.engine) == seen[-1]
    assert load_keys(store.engine, PEPPER).generation == seen[-1]


def test_last_use_is_noted(store: Store) -> None:
    one = create_key(store.engine, PEPPER, Key(name="one"), now_ms=1)
    create_key(store.engine, PEPPER, Key(name="two"), now_ms=2)
    save_last_used(store.engine, [one.key.id, "key_gone"], now_ms=9)
    assert [key.last_used_at_ms for key in list_keys(store.engine)] == [9, None]


def test_another_pepper_is_noticed_before_it_does_harm(store: Store) -> None:
    create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    with pytest.raises(StoreError, match="pepper"):
        load_keys(store.engine, bytes(32))
    with pytest.raises(StoreError, match="pepper"):
        create_key(store.engine, bytes(32), Key(name="b"), now_ms=2)
    assert [key.name for key in list_keys(store.engine)] == ["a"]


def test_the_stored_hash_is_looked_up_whole(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    with store.engine.connect() as connection:
        (stored,) = connection.execute(select(keys.c.hash)).scalars().all()
    assert bytes(stored) == bytes.fromhex(created.hash) and len(stored) == 32


def test_a_broken_database_is_a_store_error_everywhere(store: Store) -> None:
    broken(store)
    with pytest.raises(StoreError, match="cannot be read"):
        list_keys(store.engine)
    with pytest.raises(StoreError, match="cannot be read"):
        load_keys(store.engine, PEPPER)
    with pytest.raises(StoreError, match="cannot be read"):
        read_generation(store.engine)
    with pytest.raises(StoreError, match="cannot be stored"):
        create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    with pytest.raises(StoreError, match="cannot be revoked"):
        revoke_key(store.engine, "a", now_ms=1)
    with pytest.raises(StoreError, match="cannot be noted"):
        save_last_used(store.engine, ["k"], now_ms=1)


def test_errors_carry_no_hash(store: Store, tmp_path: Path) -> None:
    broken(store)
    with pytest.raises(StoreError) as caught:
        create_key(store.engine, PEPPER, Key(name="a"), now_ms=1)
    assert "INSERT" not in str(caught.value)


def test_a_key_that_is_rotated_has_two_secrets_for_a_while(store: Store) -> None:
    first = create_key(store.engine, PEPPER, Key(name="k", budget_usd=5), now_ms=1)
    second = rotate_key(store.engine, PEPPER, "k", overlap_ms=100, now_ms=1000)
    assert second is not None
    assert (second.key.id, second.key.budget_usd, second.secret != first.secret) == (first.key.id, 5, True)
    loaded = load_keys(store.engine, PEPPER).principals
    assert loaded[bytes.fromhex(second.hash)].expires_at_ms is None
    assert loaded[bytes.fromhex(first.hash)].expires_at_ms == 1100
    third = rotate_key(store.engine, PEPPER, first.key.id, overlap_ms=0, now_ms=2000)
    assert third is not None
    assert loaded.keys() & load_keys(store.engine, PEPPER).principals.keys() == {bytes.fromhex(second.hash)}
    revoke_key(store.engine, "k", now_ms=3000)
    assert load_keys(store.engine, PEPPER).principals == {}
    assert rotate_key(store.engine, PEPPER, "k", overlap_ms=0, now_ms=4000) is None


def test_the_old_secret_never_outlives_the_key(store: Store) -> None:
    first = create_key(store.engine, PEPPER, Key(name="k", expires="2030-01-01T00:00:00Z"), now_ms=1)
    rotate_key(store.engine, PEPPER, "k", overlap_ms=10**15, now_ms=1)
    principal = load_keys(store.engine, PEPPER).principals[bytes.fromhex(first.hash)]
    assert principal.expires_at_ms == first.key.expires_at_ms


def test_a_key_is_switched_off_and_on(store: Store) -> None:
    created = create_key(store.engine, PEPPER, Key(name="k"), now_ms=1)
    generation = read_generation(store.engine)
    off = switch_key(store.engine, "k", disabled_at_ms=5)
    assert off is not None
    assert (off.disabled_at_ms, load_keys(store.engine, PEPPER).principals) == (5, {})
    assert read_generation(store.engine) != generation
    assert switch_key(store.engine, created.key.id, disabled_at_ms=None) is not None
    assert len(load_keys(store.engine, PEPPER).principals) == 1
    assert switch_key(store.engine, "nobody", disabled_at_ms=1) is None


def test_where_and_for_what_are_kept(store: Store) -> None:
    wanted = Key(name="k", ip_ranges=("10.0.0.0/8",), surfaces=("chat",))
    created = create_key(store.engine, PEPPER, wanted, now_ms=1)
    principal = load_keys(store.engine, PEPPER).principals[bytes.fromhex(created.hash)]
    assert (principal.ip_ranges, principal.surfaces) == (("10.0.0.0/8",), ("chat",))


def test_a_database_that_is_broken_says_so_here_as_well(store: Store) -> None:
    broken(store)
    for change in (
        lambda: rotate_key(store.engine, PEPPER, "k", overlap_ms=0, now_ms=1),
        lambda: switch_key(store.engine, "k", disabled_at_ms=1),
    ):
        with pytest.raises(StoreError):
            change()
