from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.granting import covers, excess
from dragoman.access.principal import Principal, alias_pattern
from dragoman.config.schema import Key


def maker(**fields: Any) -> Principal:
    return Principal(**{"key_id": "k", "name": "maker", "allow_no_log": True} | fields)


def key(**fields: Any) -> Key:
    return Key(**{"name": "made"} | fields)


@pytest.mark.parametrize(
    ("has", "asks", "field"),
    [
        ({"allow": ("gpt-*",)}, {"allow": ("*",)}, "allow"),
        ({"allow": ("gpt-*",)}, {"allow": ("gpt-4*", "claude")}, "allow"),
        ({"models": ("openai/*",)}, {"models": ("*",)}, "models"),
        ({"providers": ("openai",)}, {"providers": ("openai", "groq")}, "providers"),
        ({"mcp_servers": ("git*",)}, {"mcp_servers": ("*",)}, "mcp_servers"),
        ({"surfaces": ("chat",)}, {}, "surfaces"),
        ({"surfaces": ("chat",)}, {"surfaces": ("embeddings",)}, "surfaces"),
        ({}, {"without_guardrails": ("pii",)}, "without_guardrails"),
        ({"ip_ranges": ("10.0.0.0/8",)}, {}, "ip_ranges"),
        ({"ip_ranges": ("10.0.0.0/8",)}, {"ip_ranges": ("10.1.0.0/16", "192.168.0.0/16")}, "ip_ranges"),
        ({"ip_ranges": ("10.0.0.0/8",)}, {"ip_ranges": ("::/0",)}, "ip_ranges"),
        ({"max_deadline_s": 5}, {}, "max_deadline_s"),
        ({"max_deadline_s": 5}, {"max_deadline_s": 6}, "max_deadline_s"),
        ({"max_request_usd": 1}, {"max_request_usd": 2}, "max_request_usd"),
        ({"requests_per_minute": 5}, {"requests_per_minute": 6}, "requests_per_minute"),
        ({"allow_fallbacks": False}, {}, "allow_fallbacks"),
        ({"allow_no_log": False}, {"allow_no_log": True}, "allow_no_log"),
        ({"budget_usd": 5, "budget_per": "month"}, {}, "budget_usd"),
        ({"budget_usd": 5, "budget_per": "month"}, {"budget_usd": 6, "budget_per": "month"}, "budget_usd"),
        ({"budget_usd": 5, "budget_per": "month"}, {"budget_usd": 1, "budget_per": "day"}, "budget_usd"),
        ({"budget_usd": 5, "budget_per": "ever"}, {"budget_usd": 1, "budget_per": "year"}, "budget_usd"),
        ({"budget_usd": 5, "budget_per": "day"}, {"budget_usd": 6, "budget_per": "ever"}, "budget_usd"),
        ({"expires_at_ms": 1_893_456_000_000}, {}, "expires"),
        ({"expires_at_ms": 1_893_456_000_000}, {"expires": "2030-01-01T00:00:01Z"}, "expires"),
        ({"lossy": "strict"}, {"lossy": "meaning"}, "lossy"),
        ({}, {"admin": True}, "admin"),
    ],
)
def test_more_than_the_maker_has_is_named(has: dict[str, Any], asks: dict[str, Any], field: str) -> None:
    assert [problem.partition(":")[0] for problem in excess(maker(**has), key(**asks))] == [field]


@pytest.mark.parametrize(
    ("has", "asks"),
    [
        ({}, {}),
        ({"allow": ("gpt-*",)}, {"allow": ("gpt-4*", "gpt-5")}),
        ({"surfaces": ("chat*",)}, {"surfaces": ("chat",)}),
        ({"ip_ranges": ("10.0.0.0/8", "::/0")}, {"ip_ranges": ("10.1.0.0/16", "fe80::/10")}),
        ({"budget_usd": 5, "budget_per": "month"}, {"budget_usd": 5, "budget_per": "month"}),
        ({"budget_usd": 5, "budget_per": "day"}, {"budget_usd": 5, "budget_per": "ever"}),
        ({"budget_usd": 7, "budget_per": "week"}, {"budget_usd": 1, "budget_per": "day"}),
        ({"expires_at_ms": 1_893_456_000_000}, {"expires": "2030-01-01T00:00:00Z"}),
        ({"max_retries": 0}, {"max_retries": 0}),
        ({"lossy": "meaning"}, {"lossy": "strict"}),
        ({"without_guardrails": ("pii",)}, {"without_guardrails": ("pii",)}),
        ({"admin": True}, {"admin": True}),
    ],
)
def test_as_much_is_granted(has: dict[str, Any], asks: dict[str, Any]) -> None:
    assert excess(maker(**has), key(**asks)) == []


PATTERNS = st.text("ab*?[]-", max_size=6)


@given(PATTERNS, PATTERNS, st.text("ab[]-", max_size=8))
def test_nothing_slips_through_a_pattern_that_is_covered(wider: str, pattern: str, name: str) -> None:
    matched = alias_pattern((pattern,)).fullmatch(name)
    if covers(wider, pattern) and matched:
        assert alias_pattern((wider,)).fullmatch(name)


@given(PATTERNS)
def test_a_pattern_covers_itself(pattern: str) -> None:
    assert covers(pattern, pattern)
    assert covers("*", pattern)
