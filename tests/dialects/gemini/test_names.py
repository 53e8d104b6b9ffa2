"""Known names are read in either spelling."""

from __future__ import annotations

from dragoman.dialects.gemini.names import bare_name, normal


def test_known_names_change_and_others_stay() -> None:
    assert normal({"inline_data": 1, "my_field": 2}) == {"inlineData": 1, "my_field": 2}


def test_camel_case_wins_where_both_are_given() -> None:
    assert normal({"top_p": 1, "topP": 2}) == {"topP": 2}


def test_models_lose_their_collections() -> None:
    assert [bare_name(name) for name in ("models/a", "publishers/google/models/a", "a")] == ["a", "a", "a"]
