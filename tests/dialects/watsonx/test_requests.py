"""Requests to watsonx.ai."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import read, write

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}


@pytest.mark.parametrize(("streamed", "path"), [(False, "/text/chat"), (True, "/text/chat_stream")])
def test_the_model_and_the_stream_have_their_own_places(streamed: bool, path: str) -> None:
    written = write("openai_chat", chat(stream=streamed, max_tokens=9), "watsonx", max_tokens_field="max_tokens")
    assert written.path == f"{path}?version=2025-02-11"
    assert (written.body["model_id"], written.body["max_tokens"]) == ("ibm/granite-3-8b-instruct", 9)
    assert {"model", "stream", "stream_options", "max_completion_tokens"}.isdisjoint(written.body)


def test_a_mode_of_choosing_has_its_own_field() -> None:
    written = write("openai_chat", chat(tools=[TOOL], tool_choice="required"), "watsonx").body
    assert (written["tool_choice_option"], "tool_choice" in written) == ("required", False)
    named = {"type": "function", "function": {"name": "f"}}
    written = write("openai_chat", chat(tools=[TOOL], tool_choice=named), "watsonx").body
    assert (written["tool_choice"], "tool_choice_option" in written) == (named, False)


def test_other_dialects_reach_it() -> None:
    body = {"model": "m", "max_tokens": 9, "system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]}
    written = write("anthropic", body, "watsonx").body
    assert [one["role"] for one in written["messages"]] == ["system", "user"]


def test_a_client_s_model_id_is_its_model() -> None:
    assert read("watsonx", {"model_id": "granite", "messages": []}).model == "granite"
