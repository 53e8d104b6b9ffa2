from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from dragoman.access.principal import Principal
from dragoman.config.guards import AppliesTo
from dragoman.config.limiting import Limit
from dragoman.core import Hold, Ledger, LedgerScope
from dragoman.ledger.book import NANO, Asker, Book, named, rules_of, rules_of_key, shown, whose
from dragoman.ledger.figures import Figures
from dragoman.store.tables import metadata

ANN = Principal(key_id="key_1", name="ann", organisation="acme", team="search", user="ann", tags=("a",))


@pytest.fixture
def book() -> Book:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    ledger = Ledger()
    return Book(ledger, Figures(engine, ledger))


def accounts(book: Book, scope: LedgerScope | None) -> list[tuple[str, str, str]]:
    assert scope is not None
    standings = book.ledger.standings(scope)
    return [(book.rule(one.rule).name, book.rule(one.rule).measure, shown(one.who)) for one in standings]


def test_a_limit_s_figures() -> None:
    limit = Limit(requests=5, tokens=6, concurrent=7, cost_usd=0.1, per="minute", mode="shadow", alert_at=(0.5,))
    rules = {rule.measure: rule for rule in rules_of("x", limit)}
    assert {name: rule.most for name, rule in rules.items()} == {
        "requests": 5,
        "tokens": 6,
        "concurrent": 7,
        "cost": NANO // 10,
    }
    assert {rule.period for rule in rules.values()} == {"sliding:60", "ever"}
    assert not any(rule.is_durable or rule.enforced for rule in rules.values())
    assert (rules["cost"].levels, rules["concurrent"].levels) == ((0.5,), ())


@pytest.mark.parametrize(
    ("limit", "period", "durable"),
    [
        (Limit(cost_usd=1), "month", True),
        (Limit(cost_usd=1, per="day"), "day", True),
        (Limit(cost_usd=1, per="day", sliding=True), "sliding:86400", True),
        (Limit(cost_usd=1, per="hour"), "sliding:3600", False),
        (Limit(cost_usd=1, per="ever"), "ever", True),
    ],
)
def test_periods(limit: Limit, period: str, durable: bool) -> None:
    (rule,) = rules_of("x", limit)
    assert (rule.period, rule.is_durable) == (period, durable)


def test_what_is_said_of_a_key_itself() -> None:
    assert rules_of_key(ANN) == []
    key = Principal(key_id="k", name="k", budget_usd=5, budget_per="week", requests_per_minute=9, max_concurrent=2)
    told = {(rule.name, rule.measure, rule.most, rule.per) for rule in rules_of_key(key)}
    assert told == {
        ("key:k", "cost", 5 * NANO, "week"),
        ("key:k", "requests", 9, "minute"),
        ("key:k", "concurrent", 2, "ever"),
    }


@pytest.mark.parametrize(
    ("of", "who"),
    [
        ((), [""]),
        (("organisation",), ["acme"]),
        (("team",), ["acme / search"]),
        (("user", "alias"), ["acme / ann / gpt"]),
        (("key",), ["key_1"]),
        (("app",), []),
        (("tag",), ["acme / a", "acme / b"]),
        (("end_user",), ["acme / eve"]),
        (("run",), []),
        (("tag", "alias"), ["acme / a / gpt", "acme / b / gpt"]),
    ],
)
def test_for_whom_a_request_counts(of: tuple[str, ...], who: list[str]) -> None:
    asker = Asker(ANN, "gpt", ("a", "b"), "eve")
    assert [shown(one) for one in whose(Limit(of=of, requests=1), asker)] == who  # type: ignore[arg-type]


def test_end_users_of_two_tenants_are_two() -> None:
    limit = Limit(of=("end_user",), requests=1)
    tenants = [
        Principal(key_id="k1", name="a"),
        Principal(key_id="k2", name="b"),
        Principal(key_id="k3", name="c", team="t"),
        Principal(key_id="k4", name="d", organisation="t"),
    ]
    names = [whose(limit, Asker(one, "m", (), "eve"))[0] for one in tenants[:3]]
    assert len(set(names)) == 3
    assert whose(Limit(of=("team",), requests=1), Asker(tenants[3], "m")) == []


@given(st.lists(st.text(max_size=400), min_size=1, max_size=3), st.lists(st.text(max_size=400), min_size=1, max_size=3))
def test_names_tell_what_they_are_of(one: list[str], other: list[str]) -> None:
    if len(one) == len(other) and all(one) and all(other):
        assert (named(one) == named(other)) == (one == other)
    assert len(named(one)) <= 1000
    assert named(one).isascii() or len(named(one)) <= 1000
    assert "\0" not in named(one)


def test_what_is_no_list_is_shown_as_it_is() -> None:
    assert shown("[x") == "[x"


def test_only_what_applies_is_charged(book: Book) -> None:
    book.declare(
        {
            "ours": Limit(of=("key",), requests=1, applies_to=AppliesTo(teams=("search",))),
            "theirs": Limit(requests=1, applies_to=AppliesTo(teams=("sales",))),
            "dear": Limit(cost_usd=1, applies_to=AppliesTo(routes=("gpt",))),
        }
    )
    assert accounts(book, book.scope(Asker(ANN, "gpt"))) == [("ours", "requests", "key_1"), ("dear", "cost", "")]
    assert accounts(book, book.scope(Asker(ANN, "other"))) == [("ours", "requests", "key_1")]
    assert book.scope(Asker(Principal(key_id="k", name="k"), "other")) is None


def test_stored_limits_count_beside_declared_ones(book: Book) -> None:
    book.declare({"a": Limit(requests=1, per="minute")})
    scope = book.scope(Asker(ANN, "m"))
    assert scope is not None
    hold = book.ledger.reserve(scope)
    assert isinstance(hold, Hold)
    book.store({"a": Limit(requests=100, per="minute"), "b": Limit(tokens=5, per="minute")})
    again = book.scope(Asker(ANN, "m"))
    assert accounts(book, again) == [("a", "requests", ""), ("b", "tokens", "")]
    assert again is not None
    assert not isinstance(book.ledger.reserve(again), Hold)  # the declared one, and what it had counted
    book.declare({})
    assert isinstance(book.ledger.reserve(book.scope(Asker(ANN, "m")) or scope), Hold)


def test_kinds_of_requests_are_remembered_within_a_number(book: Book) -> None:
    book.declare({"a": Limit(of=("end_user",), requests=1)})
    for number in range(5000):
        book.scope(Asker(ANN, "m", (), f"user {number}"))
    assert len(book._scopes) <= 4096
    assert len(book.ledger.standings()) == 5000
