"""The table of virtual keys: create, list, revoke, load.

Every change counts up a generation in the same transaction. A server looks at that one number every other second and
loads the keys again when it has moved, so a revocation holds everywhere within seconds and costs requests nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, bindparam, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dragoman.access.declared import STORED_ID_PREFIX, key_problems, principal_of
from dragoman.access.principal import Principal
from dragoman.access.secret import create_secret, hash_secret, shown_prefix
from dragoman.config.limiting import Per
from dragoman.config.schema import Key
from dragoman.errors import ConfigError, StoreError
from dragoman.store.generation import count_up
from dragoman.store.meta import read_meta, write_meta
from dragoman.store.tables import keys

_GENERATION = "keys_generation"
_PEPPER_CHECK = "pepper_check"
_LISTS = ("allow", "tags", "ip_ranges", "surfaces")  # JSON in the table
_names = msgspec.json.Decoder(tuple[str, ...])


class StoredKey(Struct, frozen=True, kw_only=True):
    """A row of the table, without the hash."""

    id: str
    name: str
    prefix: str
    allow: tuple[str, ...]
    organisation: str
    team: str
    user: str
    app: str
    tags: tuple[str, ...]
    admin: bool
    max_deadline_s: float | None
    max_retries: int | None
    allow_fallbacks: bool
    allow_no_log: bool
    allow_cache_knobs: bool
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    last_used_at_ms: int | None
    lossy: str
    budget_usd: float | None
    budget_per: Per
    requests_per_minute: int | None
    tokens_per_minute: int | None
    max_concurrent: int | None
    max_request_usd: float | None
    ip_ranges: tuple[str, ...]
    surfaces: tuple[str, ...]
    disabled_at_ms: int | None
    previous_until_ms: int | None  # the secret before a rotation is good so long


class CreatedKey(NamedTuple):
    """A new key: the only time that its secret is known. ``hash`` is what a config file may hold in its place."""

    secret: str
    hash: str
    key: StoredKey


class LoadedKeys(NamedTuple):
    """The keys in force by hash, the generation they are of, and how many keys there ever were."""

    principals: dict[bytes, Principal]
    generation: str
    total: int


def create_key(engine: Engine, pepper: bytes, key: Key, *, now_ms: int) -> CreatedKey:
    """Store a new key with the fields of ``key`` (its secret and hash aside).

    Raises ``ConfigError`` for bad fields, ``StoreError`` when a key in force has the name or the pepper is not the one
    that the other keys were hashed with.
    """
    problems = key_problems(key)
    if problems:
        raise ConfigError(problems)
    secret = create_secret()
    digest = hash_secret(secret, pepper)
    principal = principal_of(key, key_id=STORED_ID_PREFIX + secrets.token_hex(8))
    stored = StoredKey(
        id=principal.key_id,
        prefix=shown_prefix(secret),
        created_at_ms=now_ms,
        revoked_at_ms=None,
        last_used_at_ms=None,
        disabled_at_ms=None,
        previous_until_ms=None,
        **{name: getattr(principal, name) for name in _SHARED_FIELDS},
    )
    values = _row(stored) | {"hash": digest}
    try:
        with engine.begin() as connection:
            connection.execute(insert(keys).values(values))
            _claim_pepper(connection, pepper)
            count_up(connection, _GENERATION)
    except IntegrityError as error:
        raise StoreError(f"there is a key named {key.name!r} already; choose another name, or revoke it") from error
    except DBAPIError as error:
        raise StoreError(f"the key cannot be stored: {error.orig}") from error
    return CreatedKey(secret, digest.hex(), stored)


_SHARED_FIELDS = tuple(name for name in StoredKey.__struct_fields__ if name in Principal.__struct_fields__)


def list_keys(engine: Engine) -> list[StoredKey]:
    """Every key, revoked ones too, oldest first."""
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(keys).order_by(keys.c.created_at_ms, keys.c.id)).mappings().all()
    except SQLAlchemyError as error:
        raise _unreadable(error) from error
    return [_stored(row) for row in rows]


def revoke_key(engine: Engine, id_or_name: str, *, now_ms: int) -> StoredKey | None:
    """Revoke a key by its id, or the key in force by its name. None: there is no such key. Twice is as good as once."""
    named = or_(keys.c.id == id_or_name, (keys.c.name == id_or_name) & keys.c.revoked_at_ms.is_(None))
    try:
        with engine.begin() as connection:
            revoke = update(keys).where(named, keys.c.revoked_at_ms.is_(None)).values(revoked_at_ms=now_ms)
            if connection.execute(revoke.returning(keys.c.id)).all():
                count_up(connection, _GENERATION)
            found = or_(keys.c.id == id_or_name, keys.c.name == id_or_name)
            newest = select(keys).where(found).order_by(keys.c.created_at_ms.desc(), keys.c.id).limit(1)
            row = connection.execute(newest).mappings().one_or_none()
    except DBAPIError as error:
        raise StoreError(f"the key cannot be revoked: {error.orig}") from error
    return None if row is None else _stored(row)


def rotate_key(engine: Engine, pepper: bytes, id_or_name: str, *, overlap_ms: int, now_ms: int) -> CreatedKey | None:
    """Give a key a new secret; the one before is good for a while yet. None: no such key is in force.

    Raises ``StoreError``.
    """
    secret = create_secret()
    digest = hash_secret(secret, pepper)
    named = _in_force(id_or_name)
    try:
        with engine.begin() as connection:
            _claim_pepper(connection, pepper)
            before = connection.execute(select(keys.c.id, keys.c.hash).where(named)).one_or_none()
            if before is None:
                return None
            change = {"hash": digest, "prefix": shown_prefix(secret), "previous_hash": before.hash}
            change["previous_until_ms"] = now_ms + overlap_ms
            connection.execute(update(keys).where(keys.c.id == before.id).values(change))
            count_up(connection, _GENERATION)
            row = connection.execute(select(keys).where(keys.c.id == before.id)).mappings().one()
    except DBAPIError as error:
        raise StoreError(f"the key cannot be rotated: {error.orig}") from error
    return CreatedKey(secret, digest.hex(), _stored(row))


def switch_key(engine: Engine, id_or_name: str, *, disabled_at_ms: int | None) -> StoredKey | None:
    """Disable a key, or enable it again. None: no such key is in force. Raises ``StoreError``."""
    try:
        with engine.begin() as connection:
            changed = update(keys).where(_in_force(id_or_name)).values(disabled_at_ms=disabled_at_ms)
            found = connection.execute(changed.returning(keys.c.id)).scalar_one_or_none()
            if found is None:
                return None
            count_up(connection, _GENERATION)
            return _stored(connection.execute(select(keys).where(keys.c.id == found)).mappings().one())
    except DBAPIError as error:
        raise StoreError(f"the key cannot be changed: {error.orig}") from error


def _in_force(id_or_name: str) -> ColumnElement[bool]:
    return or_(keys.c.id == id_or_name, keys.c.name == id_or_name) & keys.c.revoked_at_ms.is_(None)


def load_keys(engine: Engine, pepper: bytes) -> LoadedKeys:
    """The keys that are not revoked; expired ones among them. Raises ``StoreError`` when the pepper is another."""
    try:
        with engine.connect() as connection:
            generation = read_meta(connection, _GENERATION)
            rows = connection.execute(select(keys)).mappings().all()
            check = read_meta(connection, _PEPPER_CHECK)
    except SQLAlchemyError as error:
        raise _unreadable(error) from error
    if check and check != _pepper_check(pepper):
        raise _wrong_pepper()
    principals: dict[bytes, Principal] = {}
    for row in rows:
        if row["revoked_at_ms"] is None and row["disabled_at_ms"] is None:
            principals[bytes(row["hash"])] = principal = _principal(row)
            if row["previous_hash"] is not None:
                until_ms = min(row["previous_until_ms"], principal.expires_at_ms or row["previous_until_ms"])
                before = msgspec.structs.replace(principal, expires_at_ms=until_ms)
                principals.setdefault(bytes(row["previous_hash"]), before)
    return LoadedKeys(principals, generation, len(rows))


def read_generation(engine: Engine) -> str:
    """What changes whenever a key does."""
    try:
        with engine.connect() as connection:
            return read_meta(connection, _GENERATION)
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def save_last_used(engine: Engine, key_ids: Iterable[str], *, now_ms: int) -> None:
    """Note that the keys were in use until now. No new generation: nobody's rights change."""
    change = update(keys).where(keys.c.id == bindparam("key_id")).values(last_used_at_ms=now_ms)
    values = [{"key_id": key_id} for key_id in key_ids]
    if not values:
        return
    try:
        with engine.begin() as connection:
            connection.execute(change, values)
    except SQLAlchemyError as error:
        raise StoreError(f"the keys' last use cannot be noted: {error}") from error


def _stored(row: RowMapping) -> StoredKey:
    fields = {name: row[name] for name in StoredKey.__struct_fields__}
    return StoredKey(**fields | {name: _names.decode(row[name]) for name in _LISTS})


def _row(stored: StoredKey) -> dict[str, Any]:
    return msgspec.structs.asdict(stored) | {name: _listed(getattr(stored, name)) for name in _LISTS}


def _principal(row: RowMapping) -> Principal:
    stored = _stored(row)
    return Principal(key_id=stored.id, **{name: getattr(stored, name) for name in _SHARED_FIELDS})


def _listed(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()


def _claim_pepper(connection: Connection, pepper: bytes) -> None:
    """The first key fixes the pepper: keys hashed with two peppers could never all be right."""
    check = read_meta(connection, _PEPPER_CHECK)
    if not check:
        write_meta(connection, _PEPPER_CHECK, _pepper_check(pepper))
    elif check != _pepper_check(pepper):
        raise _wrong_pepper()


def _pepper_check(pepper: bytes) -> str:
    return hmac.digest(pepper, b"dragoman pepper check", "sha256")[:8].hex()


def _wrong_pepper() -> StoreError:
    return StoreError(
        "the pepper is not the one that the stored keys were hashed with, so none of them would be known: restore the "
        "file `pepper` of the data directory, or DRAGOMAN_PEPPER"
    )


def _unreadable(error: SQLAlchemyError) -> StoreError:
    return StoreError(f"the keys cannot be read: {error.orig if isinstance(error, DBAPIError) else error}")
