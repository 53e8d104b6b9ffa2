"""What a client may say of how its answer is cached: in headers and in the body, as HTTP and other gateways have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.errors import InvalidRequest

if TYPE_CHECKING:
    from dragoman.core import RequestBody

MAX_SECONDS = 31_536_000.0
MAX_NAMESPACE_CHARS = 256
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class CacheWish(Struct, frozen=True, kw_only=True):
    """What one request asks of the cache."""

    on: bool | None = None  # None: as the configuration has it
    refresh: bool = False  # asked anew, and what comes is kept
    no_store: bool = False  # what comes is not kept
    ttl_s: float | None = None  # what comes is kept so long
    max_age_s: float | None = None  # nothing older is wanted
    exact: bool = False  # no answer to a question in other words is wanted
    only_cached: bool = False  # nothing but what is kept is wanted
    namespace: str = ""  # what is kept in one is not found in another

    @property
    def is_for_it(self) -> bool:
        """Whether the client has asked for the cache, where it is left to it."""
        if self.on is not None:
            return self.on
        return self.ttl_s is not None or self.only_cached or bool(self.max_age_s)


NO_WISH = CacheWish()
Wish = dict[str, Any]


def seconds(text: str) -> float:
    """A number of seconds, or of other units that stand behind it (``30s``, ``5m``)."""
    digits = text.rstrip("hmsd")
    factor = _UNITS.get(text[len(digits) :] or "s")
    if factor is None:
        raise ValueError("a number of seconds, or one such as 30s, 5m, 1h")
    value = float(digits) * factor
    if not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"from 0 to {MAX_SECONDS:.0f} seconds")
    return value


def flag(text: str) -> bool:
    """Yes or no."""
    if text.lower() in {"true", "1", "yes", "on"}:
        return True
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    raise ValueError("true or false")


_WORDS: dict[str, Wish] = {
    "on": {"on": True},
    "off": {"on": False},
    "refresh": {"on": True, "refresh": True},
    "no-store": {"no_store": True},
    "exact": {"on": True, "exact": True},
    "only": {"on": True, "only_cached": True},
}


def _word(text: str) -> Wish:
    if text.lower() not in _WORDS:
        raise ValueError(f"one of {', '.join(_WORDS)}")
    return _WORDS[text.lower()]


def _kind(text: str) -> Wish:
    if text.lower() not in {"simple", "semantic", "direct"}:
        raise ValueError("simple, direct or semantic")
    return {"on": True} if text.lower() == "semantic" else {"on": True, "exact": True}


def _ttl(text: str) -> Wish:
    value = seconds(text)
    return {"ttl_s": value} if value else {"on": False}


def _namespace(text: str) -> Wish:
    if len(text) > MAX_NAMESPACE_CHARS:
        raise ValueError(f"at most {MAX_NAMESPACE_CHARS} characters")
    return {"namespace": text}


def _when(wish: Wish, otherwise: Wish | None = None) -> Callable[[str], Wish]:
    return lambda text: wish if flag(text) else (otherwise or {})


def _directives(text: str) -> Wish:
    """``Cache-Control`` of a request (RFC 9111, 5.2.1)."""
    wish: Wish = {}
    for directive in text.split(","):
        name, _, value = directive.strip().lower().partition("=")
        if name == "no-cache":
            wish["refresh"] = True
        elif name == "no-store":
            wish["no_store"] = True
        elif name == "only-if-cached":
            wish["only_cached"] = True
        elif name in {"max-age", "s-maxage"}:
            wish["max_age_s"] = seconds(value.strip('"'))
    return wish


HEADERS: dict[str, Callable[[str], Wish]] = {
    "cache-control": _directives,
    "x-dragoman-cache": _word,
    "x-dragoman-cache-ttl": _ttl,
    "x-dragoman-cache-namespace": _namespace,
    "x-portkey-cache": _kind,
    "x-portkey-cache-force-refresh": _when({"refresh": True}),
    "x-portkey-cache-namespace": _namespace,
    "cf-aig-cache-ttl": _ttl,
    "cf-aig-skip-cache": _when({"on": False}),
    "cf-aig-cache-key": _namespace,
    "cf-cache-ttl": _ttl,
    "cf-skip-cache": _when({"on": False}),
    "x-bf-cache-ttl": _ttl,
    "x-bf-cache-type": _kind,
    "x-bf-cache-no-store": _when({"no_store": True}),
    "x-bf-cache-key": _namespace,
    "helicone-cache-enabled": _when({"on": True}, {"on": False}),
    "helicone-cache-seed": _namespace,
}


class _Litellm(Struct, forbid_unknown_fields=True, rename={"no_cache": "no-cache", "no_store": "no-store"}):
    """The field ``cache``."""

    ttl: float | None = None
    s_maxage: float | None = msgspec.field(default=None, name="s-maxage")
    no_cache: bool | None = None
    no_store: bool | None = None
    namespace: str = ""
    use_cache: bool | None = msgspec.field(default=None, name="use-cache")


class _Tensorzero(Struct, forbid_unknown_fields=True):
    """The field ``tensorzero::cache_options``."""

    enabled: str = "write_only"
    max_age_s: float | None = None


def _read_litellm(raw: bytes) -> Wish:
    told = msgspec.json.decode(raw, type=_Litellm)
    wish: Wish = {"on": told.use_cache, "ttl_s": told.ttl, "max_age_s": told.s_maxage, "namespace": told.namespace}
    return wish | {"refresh": bool(told.no_cache), "no_store": bool(told.no_store)}


def _read_tensorzero(raw: bytes) -> Wish:
    told = msgspec.json.decode(raw, type=_Tensorzero)
    words: dict[str, Wish] = {
        "on": {"on": True},
        "off": {"on": False},
        "read_only": {"on": True, "no_store": True},
        "write_only": {"on": True, "refresh": True},
    }
    return words.get(told.enabled, {}) | {"max_age_s": told.max_age_s}


FIELDS = {"cache": _read_litellm, "tensorzero::cache_options": _read_tensorzero}


def wish_in_body(body: RequestBody) -> tuple[Wish, tuple[str, ...]]:
    """What a body asks, and the fields that ask it, which are not for the provider.

    A field of the name that is none of ours is left.

    Raises:
        InvalidRequest: a value is out of range.
    """
    wish: Wish = {}
    read = []
    for name, reader in FIELDS.items():
        raw = body.field(name)
        if raw is None:
            continue
        try:
            told = reader(raw)
        except msgspec.DecodeError:
            continue
        wish.update({knob: value for knob, value in told.items() if value not in (None, "", False) or knob == "on"})
        read.append(name)
    for knob in ("ttl_s", "max_age_s"):
        if not 0 <= wish.get(knob, 0) <= MAX_SECONDS:
            raise InvalidRequest(f"The field {read[-1]}: from 0 to {MAX_SECONDS:.0f} seconds.", param=read[-1])
    if len(wish.get("namespace", "")) > MAX_NAMESPACE_CHARS:
        message = f"The field {read[-1]}: a namespace has at most {MAX_NAMESPACE_CHARS} characters."
        raise InvalidRequest(message, param=read[-1])
    return wish, tuple(read)
