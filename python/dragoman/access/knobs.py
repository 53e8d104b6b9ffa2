"""What a client may say about one request in headers, and the spellings that other gateways have made familiar.

One table maps every known header to a knob and the reading of its value. None of them is sent on: the request to the
provider is built anew. A value that cannot be read is a 400 that names the header. What the key does not allow is
capped, or refused where capping would change the meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.access import cache_knobs
from dragoman.access.cache_knobs import NO_WISH, CacheWish, Wish, flag, wish_in_body
from dragoman.errors import Forbidden, InvalidRequest

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.core import RequestBody
    from dragoman.dialects.losses import Policy

MAX_TAGS = 32
MAX_TAG_CHARS = 128
MAX_METADATA_BYTES = 16 * 1024
MAX_FALLBACKS = 8
MAX_RETRIES = 10
PROPERTY_PREFIX = "helicone-property-"


class Knobs(msgspec.Struct, kw_only=True):
    """What one request asks for; ``None`` where it says nothing."""

    deadline_s: float | None = None
    first_byte_s: float | None = None
    retries: int | None = None
    fallbacks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    end_user: str = ""
    session: str = ""
    trace_id: str = ""
    deployment: str = ""
    no_log: bool = False
    include_cost: bool = False
    lossy: Policy | None = None
    cache_wish: CacheWish = NO_WISH


NONE = Knobs()
Read = Callable[[str], Any]
# Of what may be lost between dialects, laxest first.
POLICIES: tuple[Policy, ...] = ("allow", "meaning", "strict")
_ORDER: dict[str, int] = {policy: order for order, policy in enumerate(POLICIES)}


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86_400:
        raise ValueError("a number of seconds, over 0 and under 86400")
    return value


def _millis(text: str) -> float:
    return _seconds(str(float(text) / 1000))


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_RETRIES:
        raise ValueError(f"a whole number from 0 to {MAX_RETRIES}")
    return value


def _attempts(text: str) -> int:
    return _count(str(int(text) - 1))


def _not_flag(text: str) -> bool:
    return not flag(text)


def _text(text: str) -> str:
    if len(text) > 256:
        raise ValueError("at most 256 characters")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > MAX_TAGS or any(len(name) > MAX_TAG_CHARS for name in names):
        raise ValueError(f"at most {MAX_TAGS} names of at most {MAX_TAG_CHARS} characters")
    return names


def _fallbacks(text: str) -> tuple[str, ...]:
    names = _names(text)
    if len(names) > MAX_FALLBACKS:
        raise ValueError(f"at most {MAX_FALLBACKS} fallbacks")
    return names


def _metadata(text: str) -> dict[str, Any]:
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError(f"at most {MAX_METADATA_BYTES} bytes")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except RecursionError:
        raise ValueError("nested too deep") from None


def _policy(text: str) -> str:
    if text not in POLICIES:
        raise ValueError("allow, meaning or strict")
    return text


def _strict(text: str) -> str | None:
    return "strict" if flag(text) else None


TABLE: dict[str, tuple[str, Read]] = {
    "x-dragoman-timeout": ("deadline_s", _seconds),
    "x-dragoman-deadline-ms": ("deadline_s", _millis),
    "x-dragoman-first-byte-timeout": ("first_byte_s", _seconds),
    "x-dragoman-retries": ("retries", _count),
    "x-dragoman-fallbacks": ("fallbacks", _fallbacks),
    "x-dragoman-tags": ("tags", _names),
    "x-dragoman-metadata": ("metadata", _metadata),
    "x-dragoman-end-user": ("end_user", _text),
    "x-dragoman-session": ("session", _text),
    "x-dragoman-trace-id": ("trace_id", _text),
    "x-dragoman-deployment": ("deployment", _text),
    "x-dragoman-no-log": ("no_log", flag),
    "x-dragoman-include-cost": ("include_cost", flag),
    "x-dragoman-lossy": ("lossy", _policy),
    "x-dragoman-strict": ("lossy", _strict),
    "x-litellm-timeout": ("deadline_s", _seconds),
    "x-litellm-stream-timeout": ("first_byte_s", _seconds),
    "x-litellm-num-retries": ("retries", _count),
    "x-litellm-tags": ("tags", _names),
    "x-litellm-spend-logs-metadata": ("metadata", _metadata),
    "x-litellm-end-user-id": ("end_user", _text),
    "x-litellm-customer-id": ("end_user", _text),
    "x-litellm-session-id": ("session", _text),
    "x-litellm-trace-id": ("trace_id", _text),
    "x-litellm-enable-message-redaction": ("no_log", flag),
    "x-portkey-request-timeout": ("deadline_s", _millis),
    "x-portkey-retry-count": ("retries", _count),
    "x-portkey-metadata": ("metadata", _metadata),
    "x-portkey-trace-id": ("trace_id", _text),
    "x-portkey-debug": ("no_log", _not_flag),
    "cf-aig-request-timeout": ("first_byte_s", _millis),
    "cf-aig-max-attempts": ("retries", _attempts),
    "cf-aig-metadata": ("metadata", _metadata),
    "cf-aig-event-id": ("trace_id", _text),
    "cf-aig-collect-log": ("no_log", _not_flag),
    "helicone-retry-num": ("retries", _count),
    "helicone-user-id": ("end_user", _text),
    "helicone-session-id": ("session", _text),
    "helicone-request-id": ("trace_id", _text),
    "helicone-omit-request": ("no_log", flag),
    "helicone-omit-response": ("no_log", flag),
    "helicone-retry-enabled": ("", flag),
    **{name: ("cache_wish", read) for name, read in cache_knobs.HEADERS.items()},
}


def read_knobs(headers: dict[str, str], principal: Principal) -> Knobs:
    """The knobs of a request, within what its key allows.

    Raises:
        InvalidRequest: a value cannot be read; names the header.
        Forbidden: the key may not name fallbacks.
    """
    if TABLE.keys().isdisjoint(headers) and PROPERTY_PREFIX not in "\n".join(headers):
        return (
            NONE if principal.max_deadline_s is None and principal.max_retries is None else _capped(Knobs(), principal)
        )
    knobs, wish = Knobs(), Wish()
    for name, value in headers.items():
        if name in TABLE:
            _turn(knobs, wish, name, value)
        elif name.startswith(PROPERTY_PREFIX):
            knobs.metadata[name.removeprefix(PROPERTY_PREFIX)] = _setting(name, value, _text)
    if not flag(headers.get("helicone-retry-enabled", "true")):
        knobs.retries = 0
    if wish:
        knobs.cache_wish = CacheWish(**wish)
    if not knobs.end_user and isinstance(user := knobs.metadata.get("_user"), str):
        knobs.end_user = user
    return _capped(knobs, principal)


def _turn(knobs: Knobs, wish: Wish, name: str, value: str) -> None:
    knob, read = TABLE[name]
    setting = _setting(name, value, read)
    if knob == "cache_wish":
        wish.update(setting)
    elif knob == "metadata":
        knobs.metadata.update(setting)
    elif knob:
        setattr(knobs, knob, setting)


def _setting(name: str, value: str, read: Read) -> Any:
    try:
        return read(value)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidRequest(f"Header {name}: {error}.", code="invalid_header", param=name) from None


def policy_of(knobs: Knobs, principal: Principal, default: Policy) -> Policy:
    """What a request may lose: what it asks for itself, but no laxer than its key."""
    policy = knobs.lossy or default
    floor = principal.lossy
    return policy if not floor or _ORDER[policy] >= _ORDER[floor] else POLICIES[_ORDER[floor]]


def _capped(knobs: Knobs, principal: Principal) -> Knobs:
    if principal.max_deadline_s is not None:
        knobs.deadline_s = min(knobs.deadline_s or principal.max_deadline_s, principal.max_deadline_s)
    if principal.max_retries is not None:
        knobs.retries = principal.max_retries if knobs.retries is None else min(knobs.retries, principal.max_retries)
    if knobs.fallbacks and not principal.allow_fallbacks:
        raise Forbidden("This key may not name fallbacks.", param="x-dragoman-fallbacks")
    if knobs.no_log and not principal.allow_no_log:
        knobs.no_log = False
    if not principal.allow_cache_knobs:
        knobs.cache_wish = NO_WISH
    return knobs


def with_cache_fields(knobs: Knobs, body: RequestBody, principal: Principal) -> tuple[Knobs, tuple[str, ...]]:
    """The knobs, with what the body says of the cache, and the fields of the body that say it.

    Raises:
        InvalidRequest: a value is out of range.
    """
    wish, fields = wish_in_body(body)
    if not fields or not principal.allow_cache_knobs:
        return knobs, fields
    return msgspec.structs.replace(knobs, cache_wish=msgspec.structs.replace(knobs.cache_wish, **wish)), fields
