from __future__ import annotations

import pytest

from dragoman.access import principal as principal_module
from dragoman.access.principal import ANONYMOUS, Principal, alias_pattern
from dragoman.errors import Forbidden


def allowed(*patterns: str) -> Principal:
    return Principal(key_id="k", name="n", allow=patterns)


@pytest.mark.parametrize(
    ("patterns", "good", "bad"),
    [
        (("*",), ["", "a", "openai/gpt-5", "x\ny"], []),
        (("gpt-5",), ["gpt-5"], ["gpt-5o", "xgpt-5", "GPT-5", "gpt-5\n", ""]),
        (("gpt-*",), ["gpt-", "gpt-5", "gpt-5\nx"], ["gp", "openai/gpt-5"]),
        (("gpt-?",), ["gpt-5"], ["gpt-", "gpt-50"]),
        (("a", "b*c"), ["a", "bc", "bxc"], ["b", "c", "abc"]),
        (("[ab]",), ["[ab]"], ["a", "b"]),
        (("a.c", "a+"), ["a.c", "a+"], ["abc", "aa"]),
        (("*/mini",), ["openai/mini", "/mini"], ["mini", "openai/mini-2"]),
        ((), [], ["", "a"]),
    ],
)
def test_patterns_allow_whole_aliases(patterns: tuple[str, ...], good: list[str], bad: list[str]) -> None:
    principal = allowed(*patterns)
    for _ in range(2):  # once found, once remembered
        assert all(principal.may_use(alias) for alias in good)
        assert not any(principal.may_use(alias) for alias in bad)


def test_what_is_remembered_is_bounded() -> None:
    principal = allowed("x*")
    for number in range(3 * principal_module._MAX_REMEMBERED):
        principal.may_use(f"alias-{number}")
    assert len(principal._remembered) <= principal_module._MAX_REMEMBERED
    assert principal.may_use("xy")


def test_no_pattern_makes_a_long_alias_slow() -> None:
    pattern = alias_pattern(("*a*a*a*a*a*a*a*a*a*b",))
    assert pattern.fullmatch("a" * 20_000) is None  # would not end within a life if it went back over each *


def test_two_keys_remember_apart() -> None:
    one, two = allowed("a"), allowed("b")
    assert one.may_use("a") and not two.may_use("a")


def test_the_anonymous_may_use_all_and_govern_nothing() -> None:
    assert ANONYMOUS.may_use("anything")
    assert not ANONYMOUS.admin
    assert ANONYMOUS.key_id == ""


@pytest.mark.parametrize(
    ("ranges", "client", "may"),
    [
        ((), "203.0.113.9:1", True),
        ((), "", True),
        (("10.0.0.0/8", "2001:db8::/32"), "10.1.2.3:4567", True),
        (("10.0.0.0/8", "2001:db8::/32"), "[2001:db8::1]:4567", True),
        (("10.0.0.0/8",), "[::ffff:10.0.0.1]:4567", True),
        (("10.0.0.0/8",), "11.0.0.1:4567", False),
        (("10.0.0.0/8",), "[2001:db8::1]:4567", False),
        (("10.0.0.1",), "10.0.0.1:9", True),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "no address", False),
    ],
)
def test_where_a_key_may_be_used_from(ranges: tuple[str, ...], client: str, may: bool) -> None:
    assert Principal(key_id="k", name="k", ip_ranges=ranges).may_come_from(client) is may


def test_what_a_key_may_be_used_for() -> None:
    Principal(key_id="k", name="k").permit("anything")
    narrow = Principal(key_id="k", name="k", surfaces=("chat", "/images/*"))
    narrow.permit("chat")
    narrow.permit("/images/generations")
    for surface in ("chats", "messages", "/audio/speech", ""):
        with pytest.raises(Forbidden) as refused:
            narrow.permit(surface)
        assert refused.value.error_code == "surface_not_allowed"
