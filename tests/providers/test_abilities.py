from __future__ import annotations

import pytest

from dragoman.providers.abilities import abilities_of
from dragoman.providers.catalogue import Row, row


def kind(name: str) -> Row:
    found = row(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("anthropic", "claude-sonnet-4-5"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("gemini", "models/gemini-2.5-flash"),
        ("vertex", "gemini-2.5-flash"),
        ("openai", "gpt-4o"),
        ("groq", "llama-3.3-70b-versatile"),
    ],
)
def test_models_are_found_by_their_providers_names(name: str, model: str) -> None:
    able = abilities_of(kind(name), model)
    assert able is not None
    assert able.max_output is not None
    assert able.context is not None
    assert 1_000 < able.max_output <= able.context
    assert able.tools
    assert "text" in able.reads
    assert "text" in able.writes


def test_a_model_that_nobody_lists_is_not_known() -> None:
    assert abilities_of(kind("openai"), "mine") is None
    assert abilities_of(kind("openai-compatible"), "gpt-4o") is None


def test_claude_s_limits() -> None:
    able = abilities_of(kind("anthropic"), "claude-sonnet-4-5")
    assert able is not None
    assert (able.max_output, able.reasoning) == (64_000, True)
    assert {"image", "pdf"} <= set(able.reads)
