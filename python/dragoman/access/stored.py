"""The table of virtual keys: create, list, revoke, load.

Every change counts up a generation in the same transaction. A server looks at that one number every other second and
loads the keys again when it has moved, so a revocation holds everywhere within seconds and costs requests nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dragoman.access.declared import STORED_ID_PREFIX, key_problems, principal_of
from dragoman.access.principal import Principal
from dragoman.access.rights import Entities, within
from dragoman.access.roles import ROLES
from dragoman.access.secret import create_secret, hash_secret, shown_prefix
from dragoman.config.limiting import Per
from dragoman.config.schema import Key
from dragoman.errors import ConfigError, NameTaken, StoreError
from dragoman.store.entities import KEYS_GENERATION, missing_places, read_entities
from dragoman.store.generation import count_up
from dragoman.store.meta import read_meta, write_meta
from dragoman.store.tables import keys

_PEPPER_CHECK = "pepper_check"
KEYS_A_READ = 200
CHILDREN_KEPT_MS = 7 * 86_400_000
BOOTSTRAP = "bootstrap"
"""The name of the key that the first start makes. It is for the admin API alone, and shuts nobody else out."""
# JSON in the table.
_LISTS = ("allow", "tags", "ip_ranges", "surfaces", "models", "providers", "mcp_servers", "without_guardrails")
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
    models: tuple[str, ...]
    providers: tuple[str, ...]
    mcp_servers: tuple[str, ...]
    without_guardrails: tuple[str, ...]
    role: str
    parent: str  # the id of the key that made it
    disabled_at_ms: int | None
    disabled_reason: str
    previous_until_ms: int | None  # the secret before a rotation is good so long


class CreatedKey(NamedTuple):
    """A new key: the only time that its secret is known. ``hash`` is what a config file may hold in its place."""

    secret: str
    hash: str
    key: StoredKey


class LoadedKeys(NamedTuple):
    """The keys in force by hash, who there is, the generation they are of, and how many keys there ever were."""

    principals: dict[bytes, Principal]
    entities: Entities
    generation: str
    total: int


def create_key(engine: Engine, pepper: bytes, key: Key, *, now_ms: int, parent: str = "") -> CreatedKey:
    """Store a new key with the fields of ``key`` (its secret and hash aside).

    :param parent: the id of the key that makes it, if one does.

    Raises ``ConfigError`` for bad fields, ``NameTaken`` when a key in force has the name, ``StoreError`` when the
    pepper is not the one that the other keys were hashed with.
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
        disabled_reason="",
        previous_until_ms=None,
        parent=parent,
        **{name: getattr(principal, name) for name in _SHARED_FIELDS},
    )
    values = _row(stored) | {"hash": digest}
    try:
        with engine.begin() as connection:
            connection.execute(insert(keys).values(values))
            _claim_pepper(connection, pepper)
            count_up(connection, KEYS_GENERATION)
    except IntegrityError as error:
        raise NameTaken(f"there is a key named {key.name!r} already; choose another name, or revoke it") from error
    except DBAPIError as error:
        raise StoreError(f"the key cannot be stored: {error.orig}") from error
    return CreatedKey(secret, digest.hex(), stored)


_SHARED_FIELDS = tuple(
    name for name in StoredKey.__struct_fields__ if name in Principal.__struct_fields__ and name != "parent"
)


def list_keys(engine: Engine) -> list[StoredKey]:
    """Every key, revoked ones too, oldest first. Raises ``StoreError``."""
    return list(iterate_keys(engine))


def iterate_keys(
    engine: Engine,
    wanted: Mapping[str, str] | None = None,
    *,
    after: tuple[int, str] | None = None,
    revoked: bool = True,
) -> Iterator[StoredKey]:
    """Keys, oldest first, read as they are asked for.

    :param wanted: columns and what is in them; ``None``: every key.
    :param after: when the last that is known was created, and its id.
    :param revoked: revoked ones too.

    Raises ``StoreError``.
    """
    where = [keys.c[name] == value for name, value in (wanted or {}).items()]
    if not revoked:
        where.append(keys.c.revoked_at_ms.is_(None))
    try:
        while True:
            later = [] if after is None else [tuple_(keys.c.created_at_ms, keys.c.id) > after]
            query = select(keys).where(*where, *later).order_by(keys.c.created_at_ms, keys.c.id).limit(KEYS_A_READ)
            with engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
            yield from map(_stored, rows)
            if len(rows) < KEYS_A_READ:
                return
            after = (rows[-1]["created_at_ms"], rows[-1]["id"])
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def get_key(engine: Engine, key_id: str) -> StoredKey | None:
    """One key by its id, or ``None``. Raises ``StoreError``."""
    try:
        with engine.connect() as connection:
            row = connection.execute(select(keys).where(keys.c.id == key_id)).mappings().one_or_none()
    except SQLAlchemyError as error:
        raise _unreadable(error) from error
    return None if row is None else _stored(row)


def places_missing(engine: Engine, key: Key) -> list[str]:
    """What a key is to be of that is not there, such as a team or a role. Raises ``StoreError``."""
    named = {"team": key.team, "user": key.user, "app": key.app, "role": "" if key.role in ROLES else key.role}
    try:
        with engine.connect() as connection:
            return missing_places(connection, key.organisation, **named)
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def revoke_key(engine: Engine, id_or_name: str, *, now_ms: int) -> StoredKey | None:
    """Revoke a key by its id, or the key in force by its name. None: there is no such key. Twice is as good as once."""
    try:
        with engine.begin() as connection:
            named = _one_in_force(connection, id_or_name)
            revoke = update(keys).where(keys.c.id == named).values(revoked_at_ms=now_ms)
            if connection.execute(revoke.returning(keys.c.id)).all():
                count_up(connection, KEYS_GENERATION)
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
    try:
        with engine.begin() as connection:
            _claim_pepper(connection, pepper)
            named = _one_in_force(connection, id_or_name)
            known = select(keys.c.id, keys.c.hash, keys.c.disabled_at_ms).where(keys.c.id == named)
            before = connection.execute(known).one_or_none()
            if before is None:
                return None
            change = {"hash": digest, "prefix": shown_prefix(secret), "previous_hash": before.hash}
            # A key that is disabled comes back with its new secret alone: the old one may be why it is.
            change["previous_until_ms"] = now_ms + (overlap_ms if before.disabled_at_ms is None else 0)
            connection.execute(update(keys).where(keys.c.id == before.id).values(change))
            count_up(connection, KEYS_GENERATION)
            row = connection.execute(select(keys).where(keys.c.id == before.id)).mappings().one()
    except DBAPIError as error:
        raise StoreError(f"the key cannot be rotated: {error.orig}") from error
    return CreatedKey(secret, digest.hex(), _stored(row))


def switch_key(engine: Engine, id_or_name: str, *, disabled_at_ms: int | None, reason: str = "") -> StoredKey | None:
    """Disable a key, or enable it again. None: no such key is in force. Raises ``StoreError``."""
    change = {"disabled_at_ms": disabled_at_ms, "disabled_reason": reason}
    try:
        with engine.begin() as connection:
            found = _one_in_force(connection, id_or_name)
            if found is None:
                return None
            connection.execute(update(keys).where(keys.c.id == found).values(change))
            count_up(connection, KEYS_GENERATION)
            return _stored(connection.execute(select(keys).where(keys.c.id == found)).mappings().one())
    except DBAPIError as error:
        raise StoreError(f"the key cannot be changed: {error.orig}") from error


def change_key(engine: Engine, stored: StoredKey, key: Key) -> StoredKey | None:
    """Give a key the fields of ``key``. None: it is not in force, or was changed meanwhile.

    Raises ``ConfigError`` for bad fields, ``NameTaken`` when another key in force has the name, ``StoreError``.
    """
    problems = key_problems(key)
    if problems:
        raise ConfigError(problems)
    principal = principal_of(key, key_id=stored.id)
    changed = msgspec.structs.replace(stored, **{name: getattr(principal, name) for name in _SHARED_FIELDS})
    before, after = _row(stored), _row(changed)
    unchanged = [keys.c[name].is_not_distinct_from(before[name]) for name in _SHARED_FIELDS]
    statement = update(keys).where(keys.c.id == stored.id, keys.c.revoked_at_ms.is_(None), *unchanged)
    try:
        with engine.begin() as connection:
            if not connection.execute(statement.values({name: after[name] for name in _SHARED_FIELDS})).rowcount:
                return None
            count_up(connection, KEYS_GENERATION)
    except IntegrityError as error:
        raise NameTaken(f"there is a key named {key.name!r} already; choose another name") from error
    except DBAPIError as error:
        raise StoreError(f"the key cannot be changed: {error.orig}") from error
    return changed


def count_children(engine: Engine, parent: str, *, now_ms: int) -> int:
    """How many keys that are in force a key has made. Raises ``StoreError``."""
    living = (keys.c.parent == parent) & keys.c.revoked_at_ms.is_(None) & (keys.c.expires_at_ms > now_ms)
    try:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(keys).where(living)).scalar_one()
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def forget_children(engine: Engine, *, now_ms: int) -> int:
    """Delete keys that keys have made and that are over for a week; how many. Nobody's rights change.

    Raises ``StoreError``.
    """
    before_ms = now_ms - CHILDREN_KEPT_MS
    over = (keys.c.expires_at_ms < before_ms) | (keys.c.revoked_at_ms < before_ms)
    try:
        with engine.begin() as connection:
            return connection.execute(delete(keys).where(keys.c.parent != "", over)).rowcount
    except SQLAlchemyError as error:
        raise StoreError(f"keys that are over cannot be deleted: {error}") from error


def is_child(engine: Engine, key_id: str, parent: str) -> bool:
    """Whether a key was made by another. Raises ``StoreError``."""
    try:
        with engine.connect() as connection:
            made = select(keys.c.id).where(keys.c.id == key_id, keys.c.parent == parent)
            return connection.execute(made).first() is not None
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def find_key(engine: Engine, pepper: bytes, secret: str) -> StoredKey | None:
    """The key that a secret is of, in force or not; the one before a rotation too. Raises ``StoreError``."""
    digest = hash_secret(secret, pepper)
    try:
        with engine.connect() as connection:
            found = select(keys).where(or_(keys.c.hash == digest, keys.c.previous_hash == digest)).limit(1)
            row = connection.execute(found).mappings().one_or_none()
    except SQLAlchemyError as error:
        raise _unreadable(error) from error
    return None if row is None else _stored(row)


def _one_in_force(connection: Connection, id_or_name: str) -> str | None:
    """The id of the key in force of an id or a name. Raises ``StoreError`` where several have the name."""
    named = or_(keys.c.id == id_or_name, keys.c.name == id_or_name)
    found = connection.execute(select(keys.c.id).where(named, keys.c.revoked_at_ms.is_(None))).scalars().all()
    if len(found) > 1:
        raise StoreError(f"several keys are named {id_or_name!r}; give the id of one: {', '.join(sorted(found))}")
    return found[0] if found else None


def load_keys(engine: Engine, pepper: bytes) -> LoadedKeys:
    """The keys that are not revoked; expired ones among them. Raises ``StoreError`` when the pepper is another."""
    try:
        with engine.connect() as connection:
            generation = read_meta(connection, KEYS_GENERATION)
            rows = connection.execute(select(keys)).mappings().all()
            entities = Entities(read_entities(connection))
            check = read_meta(connection, _PEPPER_CHECK)
    except SQLAlchemyError as error:
        raise _unreadable(error) from error
    if check and check != _pepper_check(pepper):
        raise _wrong_pepper()
    ours = sum(row["name"] != BOOTSTRAP for row in rows)
    return LoadedKeys(_in_force(rows, entities), entities, generation, ours)


def _in_force(rows: Sequence[RowMapping], entities: Entities) -> dict[bytes, Principal]:
    """The keys that may be used, by hash: not those whose parent or organisation may not."""
    by_id = {row["id"]: row for row in rows if row["revoked_at_ms"] is None and row["disabled_at_ms"] is None}
    found: dict[str, Principal | None] = {"": None}

    def principal_of_row(row: RowMapping) -> Principal | None:
        parent = found.get(row["parent"]) or (
            principal_of_row(by_id[row["parent"]]) if row["parent"] in by_id else None
        )
        principal = None
        if parent is not None or not row["parent"]:
            principal = within(_principal(row, parent), entities)
        found[row["id"]] = principal
        return principal

    principals: dict[bytes, Principal] = {}
    for row in by_id.values():
        principal = principal_of_row(row)
        if principal is None:
            continue
        principals[bytes(row["hash"])] = principal
        if row["previous_hash"] is not None:
            until_ms = min(row["previous_until_ms"], principal.expires_at_ms or row["previous_until_ms"])
            before = msgspec.structs.replace(principal, expires_at_ms=until_ms)
            principals.setdefault(bytes(row["previous_hash"]), before)
    return principals


def read_generation(engine: Engine) -> str:
    """What changes whenever a key does."""
    try:
        with engine.connect() as connection:
            return read_meta(connection, KEYS_GENERATION)
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


def _principal(row: RowMapping, parent: Principal | None) -> Principal:
    stored = _stored(row)
    fields = {name: getattr(stored, name) for name in _SHARED_FIELDS}
    if parent is not None and parent.expires_at_ms is not None:
        fields["expires_at_ms"] = min(parent.expires_at_ms, stored.expires_at_ms or parent.expires_at_ms)
    return Principal(key_id=stored.id, parent=parent, **fields)


def key_of(stored: StoredKey) -> Key:
    """A stored key as it would be declared."""
    fields = {name: getattr(stored, name) for name in Key.__struct_fields__ if name in _SHARED_FIELDS}
    return Key(expires="" if stored.expires_at_ms is None else _rfc3339(stored.expires_at_ms), **fields)


def _rfc3339(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
