from __future__ import annotations

from typing import Any

import pytest

from dragoman.config.prompting import Parameters, Settings
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.parameters import apply_policies, with_defaults


def held(body: dict[str, Any], dialect: str = "openai_chat", **policy: Any) -> tuple[dict[str, Any], list[str]]:
    changed = apply_policies(body, dialect, (Parameters(**policy),))
    return body, changed


def test_defaults_are_for_what_is_not_said() -> None:
    body = {"temperature": 0.0, "top_p": None}
    with_defaults(body, "openai_chat", {"temperature": 1.0, "top_p": 0.5, "stop": ["x"]})
    assert body == {"temperature": 0.0, "top_p": 0.5, "stop": ["x"]}


def test_what_a_dialect_has_no_word_for_is_left() -> None:
    body: dict[str, Any] = {}
    with_defaults(body, "anthropic", {"seed": 5, "top_k": 3})
    assert body == {"top_k": 3}


CAPPED = [
    ({"max_tokens": 500}, {"max_tokens": 100}, ["max_tokens=capped"]),
    ({"max_completion_tokens": 500}, {"max_completion_tokens": 100}, ["max_tokens=capped"]),
    ({"max_tokens": 500, "max_completion_tokens": 5}, {"max_tokens": 100, "max_completion_tokens": 5}, None),
    ({"max_tokens": 50}, {"max_tokens": 50}, []),
    ({}, {"max_tokens": 100}, []),
]


@pytest.mark.parametrize(("asked", "sent", "changed"), CAPPED)
def test_no_more_than_the_cap(asked: dict[str, Any], sent: dict[str, Any], changed: list[str] | None) -> None:
    body, told = held(asked, caps=Settings(max_tokens=100))
    assert body == sent
    assert changed is None or told == changed


def test_no_limit_at_all_is_more_than_any_cap() -> None:
    """To Ollama -1 is as long as it likes, and -2 until its window is full."""
    body, told = held({"options": {"num_predict": -1}}, "ollama", caps=Settings(max_tokens=100))
    assert (body, told) == ({"options": {"num_predict": 100}}, ["max_tokens=capped"])


def test_a_cap_of_what_is_not_asked_says_nothing() -> None:
    assert held({}, caps=Settings(temperature=1.0)) == ({}, [])
    assert held({"temperature": 1.5}, caps=Settings(temperature=1.0)) == (
        {"temperature": 1.0},
        ["temperature=capped"],
    )


def test_what_is_forced_is_so() -> None:
    assert held({"seed": 1}, forced=Settings(seed=7)) == ({"seed": 7}, ["seed=forced"])
    assert held({"seed": 7}, forced=Settings(seed=7)) == ({"seed": 7}, [])


def test_what_is_forbidden() -> None:
    with pytest.raises(InvalidRequest) as refused:
        held({"inferenceConfig": {"temperature": 1}}, "bedrock", forbidden=("temperature",))
    assert refused.value.param == "inferenceConfig.temperature"
    told = held({"functions": [], "tools": [1]}, forbidden=("tools",), on_forbidden="drop")
    assert told == ({}, ["tools=dropped"])
    assert held({"tools": None}, forbidden=("tools",)) == ({"tools": None}, [])


def test_several_policies_in_their_order() -> None:
    body: dict[str, Any] = {"max_tokens": 500}
    apply_policies(
        body,
        "openai_chat",
        (Parameters(caps=Settings(max_tokens=100)), Parameters(caps=Settings(max_tokens=50))),
    )
    assert body == {"max_tokens": 50}
