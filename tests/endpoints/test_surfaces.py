from __future__ import annotations

import pytest

from dragoman.dialects.dialect import Path
from dragoman.endpoints.surfaces import FIXED, bedrock_path, dialect_of, gemini_path, place
from dragoman.errors import NotFound

PLACES = [
    ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini", "gemini-2.5-pro", False),
    ("/v1/models/gemini-2.5-pro:streamGenerateContent", "gemini", "gemini-2.5-pro", True),
    ("/v1beta1/projects/p/locations/eu/publishers/google/models/g:generateContent", "gemini", "g", False),
    ("/model/us.anthropic.claude-v1:0/converse", "bedrock", "us.anthropic.claude-v1:0", False),
    ("/model/a%2Fb/converse-stream", "bedrock", "a/b", True),
    ("/model/m/invoke", "bedrock_invoke", "m", False),
    ("/model/m/invoke-with-response-stream", "bedrock_invoke", "m", True),
]


@pytest.mark.parametrize(("path", "dialect", "model", "stream"), PLACES)
def test_a_path_says_the_model_and_whether_it_streams(path: str, dialect: str, model: str, stream: bool) -> None:
    placed = place(path)
    assert placed is not None
    assert (placed.surface.dialect, placed.at.model, placed.at.stream) == (dialect, model, stream)


@pytest.mark.parametrize("path", ["/v1beta/models/g", "/v1beta/models/g:other", "/model/m", "/v1/chat/completions"])
def test_other_paths_are_not_placed(path: str) -> None:
    assert place(path) is None


@pytest.mark.parametrize("model", ["..", "a/../b", "%2e%2e/x", "a//b", "a%00b"])
def test_a_name_that_is_a_path_is_refused(model: str) -> None:
    with pytest.raises(NotFound):
        place(f"/v1beta/models/{model}:generateContent")


def test_native_paths_name_the_provider_s_model() -> None:
    streaming = Path(model="ours", action="streamGenerateContent")
    assert gemini_path(streaming, "gemini-2.5-pro") == "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    assert bedrock_path(Path(action="converse"), "a:b/c") == "/model/a%3Ab%2Fc/converse"
    assert FIXED["/v1/messages"].native(Path(), "m") == "/messages"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages", "anthropic"),
        ("/v1/responses/resp_1", "openai_responses"),
        ("/v1beta/models/g:generateContent", "gemini"),
        ("/v1/models/g:generateContent", "gemini"),
        ("/v1/models/gpt-4o", "openai_chat"),
        ("/model/m/converse", "bedrock"),
        ("/v1/chat/completions", "openai_chat"),
    ],
)
def test_errors_are_told_as_the_path_s_clients_read_them(path: str, dialect: str) -> None:
    assert dialect_of(path) == dialect
