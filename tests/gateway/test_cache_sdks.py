"""The official SDKs get answers that are kept as they get any other."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from tests.gateway.stage import Stage

ASKS = {"x-dragoman-cache": "on"}
MESSAGES: list[Any] = [{"role": "user", "content": "What is a dragoman?"}]


@pytest.fixture
def client(stage: Stage) -> openai.OpenAI:
    return openai.OpenAI(base_url=stage.base_url, api_key=stage.key)


def headers_of(raw: Any) -> tuple[str, str | None]:
    return raw.headers["x-dragoman-cache"], raw.headers.get("age")


def test_openai_s_chat(client: openai.OpenAI) -> None:
    headers = ASKS | {"x-dragoman-cache-namespace": "chat"}
    raws = [
        client.chat.completions.with_raw_response.create(model="demo", messages=MESSAGES, extra_headers=headers)
        for _ in range(2)
    ]
    assert [headers_of(raw) for raw in raws] == [("miss", None), ("hit", "0")]
    first, second = (raw.parse() for raw in raws)
    assert first == second
    assert first.choices[0].message.content


def test_openai_s_stream(client: openai.OpenAI) -> None:
    headers = ASKS | {"x-dragoman-cache-namespace": "stream"}
    told = []
    for expected in ("miss", "hit"):
        with client.chat.completions.with_streaming_response.create(
            model="demo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}, extra_headers=headers
        ) as raw:
            assert raw.headers["x-dragoman-cache"] == expected
            chunks = list(raw.parse())
        told.append([chunk.model_dump() for chunk in chunks])
        assert chunks[-1].usage is not None
    assert told[0] == told[1]


def test_openai_s_responses(client: openai.OpenAI) -> None:
    headers = ASKS | {"x-dragoman-cache-namespace": "responses"}
    first, second = (
        client.responses.with_raw_response.create(model="demo", input="What is it?", extra_headers=headers)
        for _ in range(2)
    )
    assert (headers_of(second)[0], first.parse().output_text) == ("hit", second.parse().output_text)


def test_anthropic_s_messages(stage: Stage) -> None:
    client = anthropic.Anthropic(base_url=stage.base_url.removesuffix("/v1"), api_key=stage.key)
    headers = ASKS | {"x-dragoman-cache-namespace": "messages"}
    told = []
    for _ in range(2):
        with client.messages.stream(model="demo", max_tokens=8192, messages=MESSAGES, extra_headers=headers) as stream:
            told.append((stream.response.headers["x-dragoman-cache"], stream.get_final_message()))
    assert [status for status, _ in told] == ["miss", "hit"]
    assert told[0][1] == told[1][1]


def test_what_is_not_kept_is_an_error_that_sdks_know(client: openai.OpenAI) -> None:
    headers = {"cache-control": "only-if-cached", "x-dragoman-cache-namespace": "nothing"}
    with pytest.raises(openai.APIStatusError) as refused:
        client.with_options(max_retries=0).chat.completions.create(
            model="demo", messages=MESSAGES, extra_headers=headers
        )
    assert (refused.value.status_code, refused.value.code) == (504, "not_cached")
