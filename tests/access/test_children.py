from __future__ import annotations

from typing import Any

import pytest

from dragoman.access.children import MOST_GENERATIONS, Wanted, child_of, generation
from dragoman.access.principal import Principal
from dragoman.errors import Forbidden

SOON = "2030-01-01T00:00:00Z"


def parent(**fields: Any) -> Principal:
    return Principal(**{"key_id": "key_1", "name": "agent", "allow": ("gpt-*",), "organisation": "acme"} | fields)


def test_a_child_is_as_its_parent_where_nothing_is_said() -> None:
    made = parent(team="t", tags=("p",), max_retries=1, budget_usd=5.0, role="admin", admin=True, surfaces=("chat",))
    key = child_of(made, Wanted(), "c", SOON)
    assert (key.organisation, key.team, key.allow, key.tags, key.max_retries) == ("acme", "t", ("gpt-*",), ("p",), 1)
    assert (key.surfaces, key.expires, key.name) == (("chat",), SOON, "c")
    assert (key.admin, key.role, key.budget_usd) == (False, "", None)  # it spends its parent's


def test_a_child_may_have_less() -> None:
    key = child_of(parent(), Wanted(allow=("gpt-4*",), budget_usd=0.5, tags=("run-7",), max_request_usd=0.1), "c", SOON)
    assert (key.allow, key.budget_usd, key.budget_per, key.tags) == (("gpt-4*",), 0.5, "ever", ("run-7",))


@pytest.mark.parametrize(
    ("has", "wanted", "field"),
    [
        ({}, {"allow": ("*",)}, "allow"),
        ({"surfaces": ("chat",)}, {"surfaces": ("chat", "embeddings")}, "surfaces"),
        ({"max_request_usd": 0.1}, {"max_request_usd": 0.2}, "max_request_usd"),
        ({"budget_usd": 5.0, "budget_per": "ever"}, {"budget_usd": 6.0}, "budget_usd"),
        ({"requests_per_minute": 5}, {"requests_per_minute": 6}, "requests_per_minute"),
        ({"ip_ranges": ("10.0.0.0/8",)}, {"ip_ranges": ("0.0.0.0/0",)}, "ip_ranges"),
    ],
)
def test_a_child_never_has_more(has: dict[str, Any], wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(Forbidden) as refused:
        child_of(parent(**has), Wanted(**wanted), "c", SOON)
    assert refused.value.param == field


def test_generations_end() -> None:
    made = parent()
    for _ in range(MOST_GENERATIONS - 1):
        made = parent(parent=made)
    assert generation(made) == MOST_GENERATIONS - 1
    child_of(made, Wanted(), "c", SOON)
    with pytest.raises(Forbidden, match="generations"):
        child_of(parent(parent=made), Wanted(), "c", SOON)
