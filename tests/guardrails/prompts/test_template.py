from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.prompting import Prompt, Turn, Variable, Version
from dragoman.dialects.canonical import Text
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.template import Called, fill


def prompt(role: str, text: str = "[{{v}}]", **variable: Any) -> Prompt:
    turn = Turn(role=role, text=text)  # type: ignore[arg-type]
    return Prompt(versions={"1": Version(messages=(turn,), variables={"v": Variable(**variable)})})


def filled(template: Prompt, value: Any) -> str:
    (message,) = fill(Called("p", None, {"v": value}), template).messages
    (block,) = message.blocks
    assert isinstance(block, Text)
    return block.text


def test_the_user_s_words_are_put_in_as_they_are() -> None:
    assert filled(prompt("user"), 'He said "no".\nThen left.') == '[He said "no".\nThen left.]'


@pytest.mark.parametrize("role", ["system", "assistant"])
@given(st.text())
def test_among_trusted_words_a_text_stays_within_its_quotes(role: str, value: str) -> None:
    written = filled(prompt(role), value)
    assert written.startswith('["') and written.endswith('"]')
    assert "\n" not in written and "\r" not in written
    inner = written[2:-2]
    assert '"' not in inner.replace("\\\\", "").replace('\\"', "")


def test_a_value_is_not_looked_at_for_places() -> None:
    template = Prompt(
        versions={
            "1": Version(
                messages=(Turn(role="user", text="{{a}} {{ b }} {{c"),), variables={"a": Variable(), "b": Variable()}
            )
        }
    )
    (message,) = fill(Called("p", None, {"a": "{{b}}", "b": "{{a}}"}), template).messages
    assert message.blocks == (Text(text="{{b}} {{a}} {{c"),)


GOOD: list[tuple[dict[str, Any], Any, str]] = [
    ({"type": "line"}, "a b", "[a b]"),
    ({"type": "integer", "minimum": 1, "maximum": 3}, 3, "[3]"),
    ({"type": "number"}, 0.5, "[0.5]"),
    ({"type": "boolean"}, True, "[true]"),
    ({"type": "choice", "choices": ("x", "y")}, "y", "[y]"),
    ({"type": "text"}, {"type": "input_text", "text": "as Responses has it"}, '["as Responses has it"]'),
    ({"max_chars": 3}, "abc", '["abc"]'),
]


@pytest.mark.parametrize(("variable", "value", "written"), GOOD)
def test_values_of_every_type(variable: dict[str, Any], value: Any, written: str) -> None:
    assert filled(prompt("system", **variable), value) == written


BAD: list[tuple[dict[str, Any], Any]] = [
    ({"type": "line"}, "a\nb"),
    ({"type": "line"}, "a\u2028b"),
    ({"type": "line"}, 5),
    ({"type": "integer"}, 1.5),
    ({"type": "integer"}, True),
    ({"type": "integer", "minimum": 1}, 0),
    ({"type": "number", "maximum": 1}, 2),
    ({"type": "number"}, "1"),
    ({"type": "boolean"}, 1),
    ({"type": "choice", "choices": ("x",)}, "X"),
    ({"max_chars": 3}, "abcd"),
    ({}, {"type": "input_image", "image_url": "x"}),
    ({}, ["a"]),
]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_values_of_no_type(variable: dict[str, Any], value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        filled(prompt("system", **variable), value)
    assert (refused.value.param, refused.value.error_code) == ("prompt.variables.v", "invalid_variable")


def test_what_is_not_given_has_its_default() -> None:
    (message,) = fill(Called("p"), prompt("user", default="usual")).messages
    assert message.blocks == (Text(text="[usual]"),)
    with pytest.raises(InvalidRequest, match="is missing"):
        fill(Called("p"), prompt("user"))
