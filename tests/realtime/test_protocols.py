from __future__ import annotations

import json

import pytest

from dragoman.errors import InvalidRequest, NotFound
from dragoman.realtime.protocols import GeminiLive, OpenAIRealtime, protocol_of

LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
VERTEX_URL = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google"


@pytest.mark.parametrize("path", ["/v1/realtime", "/openai/v1/realtime"])
def test_openai_s_paths(path: str) -> None:
    assert isinstance(protocol_of(path), OpenAIRealtime)


@pytest.mark.parametrize("path", [LIVE, VERTEX, LIVE.replace("v1beta", "v1alpha")])
def test_gemini_s_paths(path: str) -> None:
    assert isinstance(protocol_of(path), GeminiLive)


@pytest.mark.parametrize("path", ["/", "/v1/realtime/", "/v1/chat/completions", LIVE + "x", "/ws/google.ai.x"])
def test_other_paths_are_none(path: str) -> None:
    with pytest.raises(NotFound):
        protocol_of(path)


def test_openai_s_model_is_in_the_query() -> None:
    protocol = OpenAIRealtime()
    assert protocol.alias("model=a%2Fb&x=1", "") == "a/b"
    url = protocol.url("https://api.openai.com/v1", "gpt-realtime", "/v1/realtime", "model=voice&intent=x&key=secret")
    assert url == "wss://api.openai.com/v1/realtime?model=gpt-realtime&intent=x"
    with pytest.raises(InvalidRequest, match="no model"):
        protocol.alias("x=1", "")


def test_gemini_s_model_is_in_the_first_frame() -> None:
    protocol = GeminiLive()
    first = json.dumps({"setup": {"model": "models/live", "tools": [1]}})
    assert protocol.alias("", first) == "live"
    base = "https://generativelanguage.googleapis.com/v1beta"
    assert protocol.url(base, "g", LIVE, "key=x") == f"wss://generativelanguage.googleapis.com{LIVE}"
    assert json.loads(protocol.opening(first, base, "g")) == {"setup": {"model": "models/g", "tools": [1]}}


def test_vertex_is_asked_by_the_model_s_whole_name() -> None:
    protocol = GeminiLive()
    first = b'{"setup":{"model":"projects/x/locations/y/publishers/google/models/live"}}'
    assert protocol.alias("", first) == "live"
    assert protocol.url(VERTEX_URL, "g", LIVE, "").startswith(
        "wss://us-central1-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1.LlmBidiService/"
    )
    setup = json.loads(protocol.opening(first, VERTEX_URL, "g"))["setup"]
    assert setup["model"] == "projects/p/locations/us-central1/publishers/google/models/g"


@pytest.mark.parametrize("first", ["", "x", "[]", '{"setup":7}', '{"setup":{}}', '{"setup":{"model":""}}', b"\xff"])
def test_a_first_frame_without_a_model_is_refused(first: str | bytes) -> None:
    with pytest.raises(InvalidRequest, match="first frame"):
        GeminiLive().alias("", first)


def test_an_error_is_told_in_the_protocol_s_way() -> None:
    told = json.loads(OpenAIRealtime().error(InvalidRequest("no", code="bad", param="p"), '{"event_id":"e1"}'))
    assert (told["type"], told["error"]["code"], told["error"]["message"]) == ("error", "bad", "no")
    assert told["error"]["event_id"] == "e1"
    assert json.loads(OpenAIRealtime().error(InvalidRequest("no"), "["))["error"]["event_id"] is None
    told = json.loads(GeminiLive().error(InvalidRequest("no")))
    assert told == {"code": 400, "error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
