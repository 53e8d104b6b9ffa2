"""The official OpenAI SDK for Python, unmodified, as a client: everything that goes well.

It knows the gateway by its base URL and a virtual key alone. The answers are the rehearsal's, which keeps to OpenAI's
API, or a scripted provider's where the bytes matter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel
from tests.gateway.stage import ALWAYS_HEADERS, Stage

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
PARAMETERS: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather of a place.", "parameters": PARAMETERS, "strict": True},
}


@pytest.fixture
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
        yield client


def test_a_whole_answer(stage: Stage, client: OpenAI) -> None:
    answer = client.chat.completions.create(model="demo", messages=ASK)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer._request_id is not None
    row = stage.row(answer._request_id)
    assert (row["input_tokens"], row["output_tokens"]) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert (row["status"], row["usage_source"], row["stream"], row["team"]) == (200, "provider", False, "clients")


def test_a_stream_without_usage(stage: Stage, client: OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="demo", messages=ASK, stream=True) as raw:
        chunks = list(raw.parse())
        row = stage.row(raw.headers["x-request-id"])
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == client.chat.completions.create(model="demo", messages=ASK).choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert (row["usage_source"], row["stream"]) == ("provider", True)
    assert row["output_tokens"] > 0


def test_a_stream_with_usage(client: OpenAI) -> None:
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="demo", messages=ASK, stream=True, stream_options=options))
    *others, last = chunks
    whole = client.chat.completions.create(model="demo", messages=ASK)
    assert last.choices == []
    assert last.usage == whole.usage
    assert all(chunk.usage is None for chunk in others)


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {"include_obfuscation": False}])
def test_no_usage_leaks_to_who_did_not_ask(stage: Stage, client: OpenAI, options: Any) -> None:
    model = f"usage@{json.dumps(options)}"
    fields = {} if options is None else {"stream_options": options}
    with client.chat.completions.with_streaming_response.create(
        model=f"up/{model}", messages=ASK, stream=True, **fields
    ) as raw:
        body = raw.read()
    assert b"usage" not in body
    assert body.endswith(b"data: [DONE]\n\n")
    (sent,) = stage.seen(model)
    assert sent.json["stream_options"] == (options or {}) | {"include_usage": True}


def test_usage_that_was_asked_for_passes_byte_by_byte(stage: Stage, client: OpenAI) -> None:
    options: Any = {"include_usage": True, "include_obfuscation": False}
    chunks = list(
        client.chat.completions.create(model="up/usage@asked", messages=ASK, stream=True, stream_options=options)
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12
    assert stage.seen("usage@asked")[0].json["stream_options"] == options


def test_the_stream_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="demo", messages=ASK) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content


def test_the_async_client(stage: Stage) -> None:
    async def ask() -> tuple[str, list[str]]:
        async with AsyncOpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
            stream = await client.chat.completions.create(model="demo", messages=ASK, stream=True)
            said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            many = await asyncio.gather(
                *(client.chat.completions.create(model="demo", messages=ASK) for _ in range(20))
            )
            return said, [answer.choices[0].message.content or "" for answer in many]

    said, many = asyncio.run(ask())
    assert said
    assert many == [said] * 20


def test_a_tool_is_called_and_its_result_taken(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="demo", messages=ASK, tools=[WEATHER], tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"
    message = answer.choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments).keys() == {"city", "unit"}
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "Fair, 21 C."}
    asked: list[Any] = [*ASK, message.model_dump(exclude_none=True), result]
    assert client.chat.completions.create(model="demo", messages=asked, tools=[WEATHER]).choices[0].message.content


def test_a_streamed_tool_call(client: OpenAI) -> None:
    with client.chat.completions.stream(model="demo", messages=ASK, tools=[WEATHER], tool_choice="required") as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    (call,) = done
    assert call.name == "weather"
    assert json.loads(call.arguments).keys() == {"city", "unit"}


class Weather(BaseModel):
    """What is asked for as JSON."""

    city: str
    degrees: int
    rainy: bool
    days: list[str]


def test_a_schema_is_kept_to(client: OpenAI) -> None:
    answer = client.chat.completions.parse(model="demo", messages=ASK, response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)


def test_a_schema_is_kept_to_in_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(model="demo", messages=ASK, response_format=Weather) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Weather)


@pytest.mark.parametrize("streamed", [False, True])
def test_several_choices(client: OpenAI, streamed: bool) -> None:
    if streamed:
        chunks = client.chat.completions.create(model="demo", messages=ASK, n=3, stream=True)
        indexes = {choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason}
    else:
        choices = client.chat.completions.create(model="demo", messages=ASK, n=3).choices
        indexes = {choice.index for choice in choices if choice.message.content}
    assert indexes == {0, 1, 2}


def test_embeddings(stage: Stage, client: OpenAI) -> None:
    texts = ["one", "two", "one"]
    default = client.embeddings.create(model="rehearsal/embedding", input=texts)
    floats = client.embeddings.create(model="rehearsal/embedding", input=texts, encoding_format="float")
    vectors = [item.embedding for item in default.data]
    assert vectors[0] == vectors[2] != vectors[1]
    assert [item.index for item in default.data] == [0, 1, 2]
    for packed, plain in zip(vectors, floats.data, strict=True):
        assert packed == pytest.approx(plain.embedding, abs=1e-6)
    assert default.usage.prompt_tokens > 0


def test_short_embeddings(client: OpenAI) -> None:
    answer = client.embeddings.create(model="rehearsal/embedding", input="one", dimensions=16)
    assert len(answer.data[0].embedding) == 16


def test_legacy_completions(client: OpenAI) -> None:
    whole = client.completions.create(model="demo", prompt="Once upon a time", max_tokens=20)
    chunks = list(client.completions.create(model="demo", prompt="Once upon a time", max_tokens=20, stream=True))
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 20
    assert whole.choices[0].text == "".join(chunk.choices[0].text for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_models(stage: Stage, client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[:4] == ["demo", "chain", "priced", "dear"]
    assert client.models.retrieve("demo").owned_by == "rehearsal"
    assert client.models.retrieve("up/gpt-4o-mini").id == "up/gpt-4o-mini"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_models_that_a_key_may_use(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.narrow_key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["demo"]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("chain")


def test_headers_that_every_answer_has(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=ASK)
    assert {name: raw.headers.get(name, "") for name in ALWAYS_HEADERS if not raw.headers.get(name)} == {}
    assert raw.headers["x-dragoman-provider"] == "rehearsal"
    assert raw.headers["x-dragoman-attempts"] == "1"
    assert float(raw.headers["x-dragoman-overhead-ms"]) >= 0
    assert raw.parse().choices[0].message.content
    with client.chat.completions.with_streaming_response.create(model="demo", messages=ASK, stream=True) as streamed:
        assert [name for name in ALWAYS_HEADERS if not streamed.headers.get(name)] == []
        streamed.read()


def test_what_an_answer_costs(stage: Stage, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="priced", messages=ASK, max_tokens=100)
    usage = raw.parse().usage
    assert usage is not None
    cost_nanousd = usage.prompt_tokens * 2000 + usage.completion_tokens * 8000
    row = stage.row(raw.headers["x-request-id"])
    assert (row["cost_nanousd"], row["cost_usd"], row["priced"]) == (cost_nanousd, f"{cost_nanousd / 1e9:.9f}", True)
    assert float(raw.headers["x-dragoman-cost-estimate"]) > 100 * 8e-6


def test_of_the_provider_s_headers_those_that_speak_to_the_client_pass(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="priced", messages=ASK)
    assert raw.headers["x-ratelimit-remaining-tokens"] == "99"
    assert raw.headers["openai-processing-ms"] == "5"
    assert "set-cookie" not in raw.headers


def test_the_next_tier_answers_where_the_first_fails(stage: Stage, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="chain", messages=ASK)
    assert raw.parse().choices[0].message.content
    assert raw.headers["x-dragoman-fallback-index"] == "1"
    assert raw.headers["x-dragoman-attempts"] == "2"
    assert raw.headers["x-dragoman-provider"] == "rehearsal"
    assert [note["outcome"] for note in stage.row(raw.headers["x-request-id"])["attempt_log"]] == [
        "upstream_status",
        "ok",
    ]


def test_fields_that_nobody_knows_reach_the_provider(stage: Stage, client: OpenAI) -> None:
    strange = {"top_k": 7, "nested": {"deep": [1, 2.50, None]}, "häufig": "\u2028"}
    client.chat.completions.create(model="up/answer@strange", messages=ASK, extra_body=strange)
    (sent,) = stage.seen("answer@strange")
    assert strange.items() <= sent.json.items()
