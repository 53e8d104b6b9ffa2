"""Requests to and from Gemini, beside what its modules' own tests hold."""

from __future__ import annotations

from typing import Any

from tests.dialects.across import Written, read, target, write

from dragoman.dialects.gemini.contents import PLACEHOLDER

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages] or [{"role": "user", "content": "Hi"}], **fields}


def called(call: dict[str, Any] | None = None) -> dict[str, Any]:
    return chat(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call or CALL, {**CALL, "id": "c2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"ok":true}'},
        {"role": "tool", "tool_call_id": "c2", "content": "fine"},
        tools=[TOOL],
    )


def parts(written: Written, turn: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written.body["contents"][turn]["parts"]
    return found


def test_edge_10_a_call_of_another_model_s_gets_a_placeholder_where_one_is_required() -> None:
    first, second = parts(write("openai_chat", called(), "gemini", "gemini-3-pro-preview"), 1)
    assert first["thoughtSignature"] == PLACEHOLDER
    assert "thoughtSignature" not in second


def test_edge_11_models_before_get_none() -> None:
    assert not any("thoughtSignature" in part for part in parts(write("openai_chat", called(), "gemini"), 1))


def test_edge_12_a_signature_goes_back_to_its_own_model_alone() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    own = parts(write("openai_chat", called(signed), "gemini", "gemini-3-pro-preview"), 1)
    assert own[0]["thoughtSignature"] == "c2ln"
    claude = write("openai_chat", called(signed), "anthropic").body
    assert "c2ln" not in str(claude["messages"])


def test_edge_13_results_come_in_one_turn_by_their_functions_names() -> None:
    written = write("openai_chat", called(), "gemini")
    assert [turn["role"] for turn in written.body["contents"]] == ["user", "model", "user"]
    names = [part["functionResponse"]["name"] for part in parts(written, 2)]
    assert names == ["f", "f"]


def test_edge_32_schemas_are_told_as_they_are_where_that_can_be() -> None:
    schema = {"type": "object", "properties": {"a": {"const": "x"}}, "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    (declared,) = write("openai_chat", chat(tools=[tool]), "gemini").body["tools"][0]["functionDeclarations"]
    assert "parametersJsonSchema" in declared or "const" not in str(declared["parameters"])


def test_an_effort_is_a_level_or_a_budget() -> None:
    body = chat(reasoning_effort="low")
    new = write("openai_chat", body, "gemini", "gemini-3-pro-preview").body["generationConfig"]["thinkingConfig"]
    old = write("openai_chat", body, "gemini").body["generationConfig"]["thinkingConfig"]
    assert (new["thinkingLevel"], old["thinkingBudget"]) == ("LOW", 1024)


def test_the_choice_of_tools() -> None:
    forced = {"type": "function", "function": {"name": "f"}}
    written = write("openai_chat", chat(tools=[TOOL], tool_choice=forced), "gemini").body
    assert written["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["f"]}


def test_an_answer_by_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}
    config = write("openai_chat", chat(response_format=form), "gemini").body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert "responseJsonSchema" in config or "responseSchema" in config


def test_a_request_of_a_client_reaches_another_dialect() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": 9, "temperature": 0.1, "topK": 3, "stopSequences": ["x"]},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    }
    written = Written(read("gemini", body, model="g", stream=True), "anthropic", target("anthropic"))
    assert written.body["system"] == "S"
    assert written.body["stream"] is True
    assert (written.body["top_k"], written.body["stop_sequences"]) == (3, ["x"])
    assert "safetySettings" in written.lossy
