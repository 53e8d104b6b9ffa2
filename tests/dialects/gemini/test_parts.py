"""Parts, one block each."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.dialects.canonical import Opaque, Proof, Reasoning, Text, ToolCall, ToolResult
from dragoman.dialects.gemini.parts import arguments_of, read_content, read_part, response_of


def test_edge_11_signatures_are_where_they_were() -> None:
    signed = Proof(kind="thought", value="QQ==", family="google", model="m")
    parts = [{"text": "a"}, {"text": "", "thoughtSignature": "QQ=="}, {"functionCall": {"name": "f"}}]
    blocks = read_content({"parts": parts}, "content", "m")
    assert [getattr(block, "proof", None) for block in blocks] == [None, signed, None]


def test_a_signature_may_stand_alone() -> None:
    assert read_part({"thoughtSignature": "QQ=="}, "p").extra == {"text": None}  # type: ignore[union-attr]


@pytest.mark.parametrize("part", [{"executableCode": {"code": "1"}}, {"toolCall": {"id": "1"}}, {"odd": 1}])
def test_parts_that_no_other_dialect_has_are_kept_whole(part: dict[str, Any]) -> None:
    block = read_part(part, "p")
    assert isinstance(block, Opaque) and block.raw == part


def test_thoughts() -> None:
    block = read_part({"text": "a", "thought": True}, "p")
    assert isinstance(block, Reasoning) and block.summary


@pytest.mark.parametrize("response", [{"result": "a"}, {"output": "a"}, {"error": "a"}, {"a": 1, "b": [2]}, {}])
def test_responses_come_back(response: dict[str, Any]) -> None:
    block = read_part({"functionResponse": {"name": "f", "response": response}}, "p")
    assert isinstance(block, ToolResult) and response_of(block) == response


def test_results_of_other_dialects() -> None:
    def result(text: str, **more: Any) -> ToolResult:
        return ToolResult(call_id="1", content=(Text(text=text),), **more)

    assert response_of(result("a")) == {"result": "a"}
    assert response_of(result('{"a":1}')) == {"a": 1}
    assert response_of(result("a", is_error=True)) == {"error": "a"}


def test_arguments_that_are_no_object_stand_in_one() -> None:
    assert arguments_of(ToolCall(id="", name="f", arguments="[1")) == {"_raw": "[1"}
    assert arguments_of(ToolCall(id="", name="f", arguments="")) == {}
