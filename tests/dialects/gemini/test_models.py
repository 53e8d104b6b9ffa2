"""Facts about models, by name."""

from __future__ import annotations

import pytest

from dragoman.dialects.gemini.models import budget_for, takes_json_schema, takes_level, thinks, version_of


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("gemini-2.5-flash-lite", (2, 5)),
        ("gemini-3-pro-preview", (3, 0)),
        ("gemini-flash-latest", (3, 0)),
        ("gemini-omni-1.1-flash", (3, 0)),
        ("gemini-exp-1206", (3, 0)),
    ],
)
def test_versions(model: str, version: tuple[int, int]) -> None:
    assert version_of(model) == version


def test_levels_and_schemas_by_generation() -> None:
    assert [takes_level(m) for m in ("gemini-2.5-pro", "gemini-3-flash-preview", "gemma-4-31b-it")] == [
        False,
        True,
        False,
    ]
    assert [takes_json_schema(m) for m in ("gemini-2.0-flash", "gemini-2.5-pro")] == [False, True]
    assert not thinks("gemini-1.5-pro")


@pytest.mark.parametrize(
    ("model", "asked", "given"),
    [
        ("gemini-2.5-pro", 0, 128),
        ("gemini-2.5-pro", 99999, 32768),
        ("gemini-2.5-flash", 0, 0),
        ("gemini-2.5-flash", 99999, 24576),
        ("gemini-2.5-flash-lite", 1, 512),
        ("gemini-2.5-flash-lite", 0, 0),
        ("gemini-2.5-flash", -1, -1),
    ],
)
def test_budgets_are_held_to_the_model(model: str, asked: int, given: int) -> None:
    assert budget_for(model, asked) == given
