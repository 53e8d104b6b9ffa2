"""Keys as they are declared: checked, and turned into principals by the hash of their secret.

The same checks hold for a key in the config file and for one that ``dragoman keys create`` is about to store.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime

from dragoman.access.principal import Principal
from dragoman.access.secret import PREFIX, check_secret, hash_secret
from dragoman.config.schema import Key
from dragoman.errors import ConfigError

STORED_ID_PREFIX = "key_"
DECLARED_ID_PREFIX = "config:"
MIN_FOREIGN_SECRET_LENGTH = 32
_MAX_LABEL_LENGTH = 128
_HASH_HEX_LENGTH = 64


def declared_principals(keys: Iterable[Key], pepper: bytes) -> dict[bytes, Principal]:
    """The principals of the config file's keys by hash. Raises ``ConfigError`` with every problem of every key."""
    found: dict[bytes, Principal] = {}
    problems: list[str] = []
    for key in keys:
        wrong = [f"keys: {key.name or '(no name)'}: {problem}" for problem in key_problems(key) + _secret_problems(key)]
        problems += wrong
        if wrong:
            continue
        digest = bytes.fromhex(key.hash) if key.hash else hash_secret(key.secret, pepper)
        if digest in found:
            problems.append(f"keys: {key.name}: has the same secret as {found[digest].name}")
        found[digest] = principal_of(key, key_id=DECLARED_ID_PREFIX + key.name)
    if problems:
        raise ConfigError(problems)
    return found


def principal_of(key: Key, *, key_id: str) -> Principal:
    """The principal of a key whose fields are good."""
    return Principal(
        key_id=key_id,
        name=key.name,
        organisation=key.organisation,
        team=key.team,
        user=key.user,
        app=key.app,
        tags=tuple(sorted(set(key.tags))),
        admin=key.admin,
        allow=key.allow,
        expires_at_ms=parse_time_ms(key.expires) if key.expires else None,
        max_deadline_s=key.max_deadline_s,
        max_retries=key.max_retries,
        allow_fallbacks=key.allow_fallbacks,
        allow_no_log=key.allow_no_log,
        allow_cache_knobs=key.allow_cache_knobs,
        lossy=key.lossy,
        budget_usd=key.budget_usd,
        budget_per=key.budget_per,
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        max_concurrent=key.max_concurrent,
        max_request_usd=key.max_request_usd,
        ip_ranges=key.ip_ranges,
        surfaces=key.surfaces,
        models=key.models,
        providers=key.providers,
        mcp_servers=key.mcp_servers,
        without_guardrails=key.without_guardrails,
        role=key.role,
    )


def key_problems(key: Key) -> list[str]:
    """What is wrong with a key's fields, its secret aside."""
    problems = [
        f"{field}: at most {_MAX_LABEL_LENGTH} printable characters"
        for field in ("name", "organisation", "team", "user", "app")
        if not _is_label(getattr(key, field))
    ]
    if not key.name:
        problems.append("name: must not be empty")
    if key.name.startswith(STORED_ID_PREFIX):
        problems.append(f"name: must not start with {STORED_ID_PREFIX}, as the ids of stored keys do")
    if not all(tag and _is_label(tag) and "," not in tag for tag in key.tags):
        problems.append("tags: each needs printable characters and no comma")
    problems += range_problems(key.ip_ranges)
    problems += [
        f"{field}: each needs printable characters, such as {example}"
        for field, example in (
            ("surfaces", "chat or messages"),
            ("models", "openai/gpt-*"),
            ("providers", "openai"),
            ("mcp_servers", "github"),
            ("without_guardrails", "a guardrail's name"),
        )
        if not all(pattern and _is_label(pattern) for pattern in getattr(key, field))
    ]
    if not key.allow:
        problems.append("allow: names no alias; use '*' for all")
    if not _is_label(key.role):
        problems.append("role: at most 128 printable characters")
    if key.expires:
        try:
            parse_time_ms(key.expires)
        except ValueError as error:
            problems.append(f"expires: {error}")
    return problems


def range_problems(ranges: Iterable[str]) -> list[str]:
    """What is wrong with ranges of addresses."""
    return [f"ip_ranges: {text!r} is none, such as 10.0.0.0/8" for text in ranges if not _is_range(text)]


def parse_time_ms(text: str) -> int:
    """Unix milliseconds of an RFC 3339 time. Raises ``ValueError`` for other text, and for a time without its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2027-01-31T00:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} does not say its time zone; end it with Z or +01:00")
    return int(moment.timestamp() * 1000)


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_label(text: str) -> bool:
    return len(text) <= _MAX_LABEL_LENGTH and text.isprintable()


def _secret_problems(key: Key) -> list[str]:
    """A secret of another origin is taken when it is long enough not to be guessed."""
    if bool(key.secret) == bool(key.hash):
        return ["give either secret or hash"]
    if key.hash:
        good = len(key.hash) == _HASH_HEX_LENGTH and all(digit in "0123456789abcdef" for digit in key.hash)
        return (
            [] if good else [f"hash: not the {_HASH_HEX_LENGTH} hexadecimal digits that `dragoman keys create` shows"]
        )
    if key.secret.startswith(PREFIX):
        return [] if check_secret(key.secret) else ["secret: its checksum is wrong; was it copied whole?"]
    if len(key.secret) < MIN_FOREIGN_SECRET_LENGTH:
        return [f"secret: shorter than {MIN_FOREIGN_SECRET_LENGTH} characters; make one with `dragoman keys create`"]
    return []
