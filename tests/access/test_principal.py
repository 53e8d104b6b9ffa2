from __future__ import annotations

import pytest

from dragoman.access import principal as principal_module
from dragoman.access.principal import ANONYMOUS, Principal, alias_pattern


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
