"""Reads Gemini requests, in either spelling and however hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.dialects.canonical import Proof, Reasoning, Text, ToolCall, ToolResult
from dragoman.dialects.continuity import seal
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.gemini.read_request import read_request


def read(body: Any, **at: Any) -> Any:
    return read_request(json.dumps(body).encode(), Path(model="m", action="generateContent", **at))


def test_snake_case_is_read_and_unknown_fields_keep_their_spelling() -> None:
    body = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "_-8"}}]}],
        "generation_config": {"max_output_tokens": 7, "thinking_config": {"thinking_budget": 0}},
        "odd_field": 1,
    }
    request = read(body)
    assert request.messages[0].role == "system" and request.messages[0].top
    assert request.messages[1].blocks[0].source.data == "/+8="
    assert (request.max_tokens, request.thinking.budget, request.extra["odd_field"]) == (7, 0, 1)


def test_calls_and_results_without_ids_stay_without() -> None:
    parts = [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "QUJD"}]
    result = {"functionResponse": {"name": "f", "response": {"error": "no"}}}
    request = read({"contents": [{"role": "model", "parts": parts}, {"role": "function", "parts": [result]}]})
    call, told = request.messages[0].blocks[0], request.messages[1].blocks[0]
    assert isinstance(call, ToolCall) and isinstance(told, ToolResult)
    assert (call.id, call.arguments) == ("", '{"a":1}')
    assert call.proof == Proof(kind="thought", value="QUJD", family="google")
    assert told.is_error and told.content == (Text(text="no"),) and request.messages[1].role == "tool"


def test_reasoning_of_another_family_that_was_streamed_in_pieces_is_whole_again() -> None:
    proof = Proof(kind="signature", value="s>?~", family="anthropic", model="claude")
    sent_back = seal(proof).replace("+", "-").replace("/", "_")  # as Google's SDK writes bytes
    thoughts = [{"text": "a", "thought": True}, {"text": "b", "thought": True}]
    last = {"text": "", "thought": True, "thoughtSignature": sent_back}
    request = read({"contents": [{"role": "model", "parts": [*thoughts, last, {"text": "c"}]}]})
    first, second = request.messages[0].blocks
    assert isinstance(first, Reasoning) and (first.text, first.proof) == ("ab", proof)
    assert isinstance(second, Text) and second.text == "c"


def test_edge_03_thoughts_that_are_signed_by_google_stay_apart() -> None:
    parts = [{"text": t, "thought": True, "thoughtSignature": s} for t, s in (("a", "QQ=="), ("b", "Qg=="))]
    blocks = read({"contents": [{"role": "model", "parts": parts}]}).messages[0].blocks
    assert [(block.text, block.proof.value) for block in blocks] == [("a", "QQ=="), ("b", "Qg==")]


@pytest.mark.parametrize("role", ["invalid_role", "system"])
def test_an_unknown_role_is_the_clients_fault(role: str) -> None:
    with pytest.raises(Unreadable, match="role"):
        read({"contents": [{"role": role, "parts": []}]})


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"responseMimeType": "application/json"}, "json"),
        ({"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}, "schema"),
        ({"responseJsonSchema": {"type": "object"}}, "schema"),
        ({"responseMimeType": "text/plain"}, "text"),
    ],
)
def test_formats(config: dict[str, Any], kind: str) -> None:
    assert read({"generationConfig": config}).format.kind == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
WORDS = st.sampled_from(
    [
        *("contents", "parts", "role", "text", "thought", "thoughtSignature", "functionCall", "functionResponse"),
        *("args", "response", "name", "id", "tools", "inlineData", "fileData", "data", "mimeType", "fileUri"),
        *("systemInstruction", "generationConfig", "toolConfig", "functionCallingConfig", "mode", "anyOf"),
        *("functionDeclarations", "parameters", "thinkingConfig", "responseSchema", "allowedFunctionNames"),
    ]
)
SHAPED = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=30
)


@settings(max_examples=400, deadline=None)
@given(SHAPED)
def test_whatever_is_sent_is_read_or_unreadable(value: Any) -> None:
    try:
        assert read(value).dialect == "gemini"
    except Unreadable as error:
        assert error.message
