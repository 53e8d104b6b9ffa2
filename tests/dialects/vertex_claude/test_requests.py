"""Requests to and from Claude on Vertex AI."""

from __future__ import annotations

from typing import Any

from tests.dialects.across import read, write

from dragoman.dialects.canonical import Text

HI: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def test_the_model_is_in_the_path_and_the_version_in_the_body() -> None:
    written = write("openai_chat", {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, "vertex_claude")
    assert written.path == "/models/claude-sonnet-4-5@20250929:rawPredict"
    assert (written.body["anthropic_version"], "model" in written.body) == ("vertex-2023-10-16", False)
    assert written.body["messages"][0]["role"] == "user"


def test_a_stream_has_a_path_of_its_own() -> None:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    written = write("openai_chat", body, "vertex_claude")
    assert written.path.endswith(":streamRawPredict")
    assert written.body["stream"] is True


def test_a_client_s_own_version_and_fields_stay() -> None:
    request = read("vertex_claude", HI | {"anthropic_version": "vertex-2026-10-21", "x": 1}, model="claude-opus-4-7")
    assert (request.model, request.messages[0].blocks) == ("claude-opus-4-7", (Text(text="Hi"),))
    written = write("vertex_claude", HI | {"anthropic_version": "vertex-2026-10-21", "x": 1}, "vertex_claude")
    assert (written.body["anthropic_version"], written.body["x"]) == ("vertex-2026-10-21", 1)


def test_edge_33_what_vertex_refuses_is_left_out_with_its_beta() -> None:
    headers = {"anthropic-beta": "context-management-2025-06-27"}
    body = HI | {"model": "m", "context_management": {"edits": []}}
    request = read("anthropic", body, headers=headers)
    written = write("anthropic", body, "vertex_claude")
    assert "context_management" not in written.body
    assert "context_management" in written.lossy
    assert request.dialect == "anthropic"
