"""The limits in force, and which of them a request falls under.

Whoever an account is for is named within its tenant: end users, tags and runs are names that clients choose, and those
of one organisation are not those of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from msgspec import Struct

from dragoman.access.principal import applies
from dragoman.config.limiting import SECONDS, Limit

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.core import Ledger, LedgerScope, SharedLedger

Measure = Literal["requests", "tokens", "concurrent", "cost"]
# Kinds of requests whose accounts are remembered: clients make some up.
MOST_REMEMBERED = 4096
MOST_WHO_CHARS = 1000
MOST_SHOWN_CHARS = 900
NANO = 1_000_000_000
_AMOUNTS: tuple[tuple[Measure, str], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("concurrent", "concurrent"),
    ("cost", "cost_usd"),
)


_Key = tuple[int, str, tuple[str, ...], str, str, bool]


class Rule(Struct, frozen=True):
    """One figure of a limit, as the ledger counts it."""

    name: str
    measure: Measure
    most: int  # requests, tokens, nano-dollars
    per: str
    sliding_s: float | None  # None: of the calendar
    enforced: bool = True
    levels: tuple[float, ...] = ()

    @property
    def is_durable(self) -> bool:
        """Whether it outlives the process: what is counted for a day or more."""
        return self.measure != "concurrent" and (self.sliding_s is None or self.sliding_s >= SECONDS["day"])

    @property
    def period(self) -> str:
        """What tells it from others, and how it is written down."""
        return self.per if self.sliding_s is None else f"sliding:{self.sliding_s:g}"


class Asker(Struct, frozen=True):
    """Whose request it is, and what it says of itself."""

    principal: Principal
    alias: str
    tags: tuple[str, ...] = ()
    end_user: str = ""
    run: str = ""
    wants_more: bool = False  # for a request that is held for already: of tokens and money alone


def rules_of(name: str, limit: Limit) -> list[Rule]:
    """The figures of a limit."""
    sliding_s = float(SECONDS[limit.per]) if limit.sliding or limit.per in ("minute", "hour") else None
    found = []
    for measure, field in _AMOUNTS:
        amount = getattr(limit, field)
        if amount is not None:
            most = round(amount * NANO) if measure == "cost" else amount
            per, window_s = ("ever", None) if measure == "concurrent" else (limit.per, sliding_s)
            levels = () if measure == "concurrent" else limit.alert_at
            found.append(Rule(name, measure, most, per, window_s, limit.mode == "enforce", levels))
    return found


def rules_of_key(principal: Principal) -> list[Rule]:
    """What is said of a key itself."""
    name = f"key:{principal.key_id}"
    budget = Limit(cost_usd=principal.budget_usd, per=principal.budget_per, concurrent=principal.max_concurrent)
    pace = Limit(requests=principal.requests_per_minute, tokens=principal.tokens_per_minute, per="minute")
    return rules_of(name, budget) + rules_of(name, pace)


class Written(Protocol):
    """What is written down of the ledger."""

    def restore(self, number: int, rule: Rule) -> None:
        """Know a rule, and give it what was counted for it before this start."""


class Book:
    """The limits in force."""

    def __init__(self, ledger: Ledger | SharedLedger, written: Written) -> None:
        self.ledger = ledger
        self._written = written
        self._declared: dict[str, Limit] = {}
        self._stored: dict[str, Limit] = {}
        self._in_force: list[tuple[Limit, list[int]]] = []
        self._dimensions: set[str] = set()  # that any limit tells apart, of those that requests name
        self._rules: dict[int, Rule] = {}
        # Each with its principal, so that no other takes its place in memory.
        self._scopes: dict[_Key, tuple[Principal, LedgerScope | None]] = {}
        self.changed: Callable[[], None] = lambda: None

    def declare(self, limits: Mapping[str, Limit]) -> None:
        """These are the configuration's."""
        self._declared = dict(limits)
        self._put_in_force()

    def store(self, limits: Mapping[str, Limit]) -> None:
        """These are the database's. One of the configuration's of the same name counts in its place."""
        self._stored = dict(limits)
        self._put_in_force()

    def _put_in_force(self) -> None:
        limits = self._stored | self._declared
        self._in_force = [
            (limit, [self._number(rule) for rule in rules_of(name, limit)]) for name, limit in limits.items()
        ]
        self._dimensions = {dimension for limit in limits.values() for dimension in limit.of}
        if any(limit.applies_to.routes for limit in limits.values()):
            self._dimensions.add("alias")
        self._scopes = {}  # anew: a request that is at the old limits now keeps its scope in the old
        self.changed()

    def rule(self, number: int) -> Rule:
        """A rule by the ledger's number."""
        return self._rules[number]

    def scope(self, asker: Asker) -> LedgerScope | None:
        """The accounts that a request falls under; ``None``: nothing limits it.

        Raises:
            OverflowError: limits are counted for too many names.
        """
        key, scopes = self._key(asker), self._scopes
        known = scopes.get(key)
        if known is None:
            parts = list(self.parts(asker))
            known = asker.principal, self.ledger.scope(parts) if parts else None
            if len(scopes) >= MOST_REMEMBERED:
                scopes.clear()
            scopes[key] = known
        return known[1]

    def tells_apart(self, dimension: str) -> bool:
        """Whether any limit does so by what requests name."""
        return dimension in self._dimensions

    def _key(self, asker: Asker) -> _Key:
        told = self._dimensions
        return (
            id(asker.principal),
            asker.alias if "alias" in told else "",
            asker.tags if "tag" in told else (),
            asker.end_user if "end_user" in told else "",
            asker.run if "run" in told else "",
            asker.wants_more,
        )

    def parts(self, asker: Asker) -> Iterator[tuple[int, str]]:
        """The rules that a request falls under, and for whom it counts there."""
        found = self._parts(asker)
        if asker.wants_more:
            found = ((number, who) for number, who in found if self._rules[number].measure in ("tokens", "cost"))
        return found

    def _parts(self, asker: Asker) -> Iterator[tuple[int, str]]:
        key: Principal | None = asker.principal
        while key is not None:  # a key that a key has made is held to the limits of both
            for rule in rules_of_key(key):
                yield self._number(rule), key.key_id
            key = key.parent
        for limit, numbers in self._in_force:
            if applies(limit.applies_to, asker.principal, asker.alias):
                for who in whose(limit, asker):
                    yield from ((number, who) for number in numbers)

    def _number(self, rule: Rule) -> int:
        number = self.ledger.rule(
            rule.name,
            rule.measure,
            rule.most,
            period=rule.per if rule.sliding_s is None else "sliding",
            sliding_s=rule.sliding_s,
            enforced=rule.enforced,
            durable=rule.is_durable,
            levels=list(rule.levels),
        )
        self._rules[number] = rule
        if rule.is_durable:
            self._written.restore(number, rule)
        return number


def whose(limit: Limit, asker: Asker) -> list[str]:
    """For whom a request counts under a limit: one, or one for each of its tags; nobody, where it has no such name."""
    found: list[list[str]] = [[]]
    for dimension in limit.of:
        values = _values(dimension, asker)
        found = [[*parts, *value] for parts in found for value in values]
    return [named(parts) for parts in found]


def _values(dimension: str, asker: Asker) -> list[list[str]]:
    principal = asker.principal
    if dimension == "key":
        return [[principal.family]]
    if dimension == "alias":
        return [[asker.alias]]
    if dimension == "organisation":
        return [[principal.organisation]] if principal.organisation else []
    if dimension in ("team", "user", "app"):
        name = getattr(principal, dimension)
        return [[principal.organisation, name]] if name else []
    names = asker.tags if dimension == "tag" else (asker.end_user if dimension == "end_user" else asker.run,)
    return [[principal.tenant, name] for name in names if name]


def named(parts: list[str]) -> str:
    """One name for several that are told apart."""
    given = [part for part in parts if part]
    if not given:
        return ""
    plain = len(given) == 1 and given[0].isprintable() and not given[0].startswith("[")
    name = given[0] if plain else msgspec.json.encode(parts).decode()
    return name if len(name) <= MOST_WHO_CHARS else f"{name[:MOST_SHOWN_CHARS]}#{sha256(name.encode()).hexdigest()}"


def shown(who: str) -> str:
    """A name as people read it."""
    if not who.startswith("["):
        return who
    try:
        return " / ".join(part for part in msgspec.json.decode(who, type=list[str]) if part)
    except msgspec.DecodeError:
        return who
