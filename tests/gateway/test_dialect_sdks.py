"""Official SDKs, unmodified, each before providers of every dialect: a text, a stream of it, and a loop with a tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import cohere
import ollama
import openai
import pytest
from botocore.exceptions import ClientError
from google import genai
from google.genai import types
from mistralai.client import Mistral
from pydantic import BaseModel
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import ASKED, KEY, KINDS, SCHEMA
from tests.gateway.speakers import COUNT, INPUT, OUTPUT, PLACE, TEXT, WORDS


@pytest.fixture
def gateway(polyglot: Gateway) -> Gateway:
    return polyglot


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def is_counted(model: str, tokens: int | None) -> bool:
    """Whether that is the provider's number, or one of the gateway's own, which learns from what providers report."""
    assert tokens is not None
    return tokens == COUNT if model in ("anthropic", "gemini", "bedrock") else 1 <= tokens <= 3


# OpenAI -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def chats(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        yield client


def test_openai_chat(chats: openai.OpenAI, model: str) -> None:
    whole = chats.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (TEXT, "stop")
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (INPUT, OUTPUT)


def test_openai_chat_stream_helper(chats: openai.OpenAI, model: str) -> None:
    with chats.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": "Hi"}], stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        whole = stream.get_final_completion()
    assert list(filter(None, pieces)) == list(WORDS)
    assert whole.usage is not None
    assert (whole.choices[0].message.content, whole.usage.completion_tokens) == (TEXT, OUTPUT)


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_chat_tools(chats: openai.OpenAI, model: str, streamed: bool) -> None:
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True}}]
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    if streamed:
        with chats.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            choice: Any = stream.get_final_completion().choices[0]
    else:
        choice = chats.chat.completions.create(model=model, messages=messages, tools=tools).choices[0]
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert json.loads(call.function.arguments) == PLACE
    said = choice.message.model_dump(include={"role", "content", "tool_calls"})
    for one in said["tool_calls"]:
        one["function"].pop("parsed_arguments", None)
    messages += [said, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    answer = chats.chat.completions.create(model=model, messages=messages, tools=tools)
    assert answer.choices[0].message.content == TEXT


class Place(BaseModel):
    city: str


def test_openai_parses_answers_by_schema(chats: openai.OpenAI, model: str) -> None:
    asked: Any = [{"role": "user", "content": "Where?"}]
    chat = chats.chat.completions.parse(model=model, messages=asked, response_format=Place)
    assert chat.choices[0].message.parsed == Place(**PLACE)
    assert chats.responses.parse(model=model, input="Where?", text_format=Place).output_parsed == Place(**PLACE)


def test_openai_responses(chats: openai.OpenAI, model: str) -> None:
    whole = chats.responses.create(model=model, input="Hi")
    assert (whole.output_text, whole.status) == (TEXT, "completed")
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (INPUT, OUTPUT)


def test_openai_responses_stream_helper(chats: openai.OpenAI, model: str) -> None:
    with chats.responses.stream(model=model, input="Hi") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        whole = stream.get_final_response()
    assert (pieces, whole.output_text) == (list(WORDS), TEXT)


def test_openai_responses_tools(chats: openai.OpenAI, model: str) -> None:
    tools: Any = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]
    first = chats.responses.create(model=model, input=ASKED, tools=tools, store=False)
    (call,) = (item for item in first.output if item.type == "function_call")
    assert json.loads(call.arguments) == PLACE
    items: list[Any] = [{"role": "user", "content": ASKED}, *first.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    assert chats.responses.create(model=model, input=items, tools=tools, store=False).output_text == TEXT


def test_openai_responses_go_on_from_each_other(chats: openai.OpenAI, model: str) -> None:
    if model in ("openai_chat", "openai_responses"):
        pytest.skip("its provider keeps its own")
    first = chats.responses.create(model=model, input="Hi", metadata={"a": "b"})
    with chats.responses.stream(model=model, input="And?", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    assert second.previous_response_id == first.id
    third = chats.responses.create(model="openai_responses", input="So?", previous_response_id=second.id)
    assert third.output_text == TEXT
    assert chats.responses.retrieve(first.id).output_text == TEXT
    items = list(chats.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message"] * 3
    chats.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        chats.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        chats.responses.create(model=model, input="And?", previous_response_id=first.id)
    with pytest.raises(openai.BadRequestError, match="background"):
        chats.responses.cancel(second.id)


# Anthropic --------------------------------------------------------------------------------------------------------


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.base_url.removesuffix("/v1"), api_key=KEY, max_retries=0) as client:
        yield client


def test_anthropic(claude: anthropic.Anthropic, model: str) -> None:
    whole = claude.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": "Hi"}])
    (block,) = whole.content
    assert block.type == "text"
    assert (block.text, whole.stop_reason) == (TEXT, "end_turn")
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (INPUT, OUTPUT)


def test_anthropic_stream_helper(claude: anthropic.Anthropic, model: str) -> None:
    messages: Any = [{"role": "user", "content": "Hi"}]
    with claude.messages.stream(model=model, max_tokens=64, messages=messages) as stream:
        assert list(stream.text_stream) == list(WORDS)
        assert stream.get_final_message().usage.output_tokens == OUTPUT


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_tools(claude: anthropic.Anthropic, model: str, streamed: bool) -> None:
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 64,
        "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
        "messages": [{"role": "user", "content": ASKED}],
    }
    if streamed:
        with claude.messages.stream(**asked) as stream:
            whole = stream.get_final_message()
    else:
        whole = claude.messages.create(**asked)
    (call,) = whole.content
    assert call.type == "tool_use"
    assert (call.name, call.input, whole.stop_reason) == ("get_weather", PLACE, "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    asked["messages"] += [{"role": "assistant", "content": whole.content}, {"role": "user", "content": [result]}]
    (block,) = claude.messages.create(**asked).content
    assert block.type == "text"
    assert block.text == TEXT


def test_anthropic_counts(claude: anthropic.Anthropic, model: str) -> None:
    counted = claude.messages.count_tokens(model=model, messages=[{"role": "user", "content": "Hello there."}])
    assert is_counted(model, counted.input_tokens)


def test_anthropic_lists_models(claude: anthropic.Anthropic) -> None:
    assert KINDS.keys() <= {model.id for model in claude.models.list()}
    assert claude.models.retrieve("gemini").display_name == "gemini"


def test_anthropic_thinking(claude: anthropic.Anthropic, model: str) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    asked: Any = [{"role": "user", "content": "Hi"}]
    whole = claude.messages.create(model=model, max_tokens=2048, thinking=thinking, messages=asked)
    assert (text_of(whole), whole.stop_reason) == (TEXT, "end_turn")
    with claude.messages.stream(model=model, max_tokens=2048, thinking=thinking, messages=asked) as stream:
        assert list(stream.text_stream) == list(WORDS)


def test_anthropic_by_way_of_vertex(gateway: Gateway, model: str) -> None:
    with anthropic.AnthropicVertex(
        base_url=gateway.base_url, access_token=KEY, project_id="p", region="us-east5", max_retries=0
    ) as client:
        whole = client.messages.create(model=model, max_tokens=99, messages=[{"role": "user", "content": "Hi"}])
        assert (text_of(whole), whole.stop_reason, whole.usage.output_tokens) == (TEXT, "end_turn", OUTPUT)
        with client.messages.stream(model=model, max_tokens=99, messages=[{"role": "user", "content": "Hi"}]) as stream:
            assert list(stream.text_stream) == list(WORDS)


def test_anthropic_by_way_of_bedrock(gateway: Gateway, model: str) -> None:
    if model == "bedrock":
        pytest.skip("its provider speaks Converse alone")
    root = gateway.base_url.removesuffix("/v1")
    with anthropic.AnthropicBedrock(
        base_url=root, aws_access_key=KEY, aws_secret_key=KEY, aws_region="us-east-1", max_retries=0
    ) as client:
        whole = client.messages.create(model=model, max_tokens=99, messages=[{"role": "user", "content": "Hi"}])
        assert (text_of(whole), whole.stop_reason, whole.usage.output_tokens) == (TEXT, "end_turn", OUTPUT)
        with client.messages.stream(model=model, max_tokens=99, messages=[{"role": "user", "content": "Hi"}]) as stream:
            assert list(stream.text_stream) == list(WORDS)


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


# Google -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gemini(gateway: Gateway) -> genai.Client:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=gateway.base_url.removesuffix("/v1")))


def test_google(gemini: genai.Client, model: str) -> None:
    whole = gemini.models.generate_content(model=model, contents="Hi")
    assert whole.text == TEXT
    usage = whole.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (INPUT, OUTPUT)


def test_google_stream(gemini: genai.Client, model: str) -> None:
    chunks = list(gemini.models.generate_content_stream(model=model, contents="Hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_google_tools(gemini: genai.Client, model: str) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    config = types.GenerateContentConfig(tools=[get_weather])
    assert gemini.models.generate_content(model=model, contents=ASKED, config=config).text == TEXT
    assert asked == [PLACE["city"]]


def test_google_counts(gemini: genai.Client, model: str) -> None:
    assert is_counted(model, gemini.models.count_tokens(model=model, contents="Hello there.").total_tokens)


def test_google_lists_models(gemini: genai.Client) -> None:
    assert {f"models/{name}" for name in KINDS} <= {model.name for model in gemini.models.list()}
    assert gemini.models.get(model="anthropic").display_name == "anthropic"


# Amazon -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bedrock(gateway: Gateway) -> Any:
    return signing(gateway, KEY)


def signing(gateway: Gateway, secret: str) -> Any:
    """Amazon's client, whose key is the gateway's."""
    key = {"aws_access_key_id": KEY, "aws_secret_access_key": secret, "region_name": "us-east-1"}
    return boto3.client("bedrock-runtime", endpoint_url=gateway.base_url.removesuffix("/v1"), **key)


def test_a_signature_that_is_wrong(gateway: Gateway) -> None:
    with pytest.raises(ClientError, match="signature is not right"):
        signing(gateway, "not-the-secret").converse(modelId="gemini", messages=[user("Hi")])


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": text}]}


def test_bedrock_converse(bedrock: Any, model: str) -> None:
    whole = bedrock.converse(modelId=model, messages=[user("Hi")])
    assert whole["output"]["message"]["content"] == [{"text": TEXT}]
    assert (whole["usage"]["inputTokens"], whole["usage"]["outputTokens"]) == (INPUT, OUTPUT)


def test_bedrock_converse_stream(bedrock: Any, model: str) -> None:
    events = list(bedrock.converse_stream(modelId=model, messages=[user("Hi")])["stream"])
    said = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert said == list(WORDS)
    assert events[-1]["metadata"]["usage"]["outputTokens"] == OUTPUT


def test_bedrock_tools(bedrock: Any, model: str) -> None:
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": SCHEMA}}}]}
    messages = [user(ASKED)]
    first = bedrock.converse(modelId=model, messages=messages, toolConfig=tools)
    (block,) = first["output"]["message"]["content"]
    call = block["toolUse"]
    assert (call["name"], call["input"], first["stopReason"]) == ("get_weather", PLACE, "tool_use")
    result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "sunny"}]}}
    messages += [first["output"]["message"], {"role": "user", "content": [result]}]
    second = bedrock.converse(modelId=model, messages=messages, toolConfig=tools)
    assert second["output"]["message"]["content"] == [{"text": TEXT}]


def test_bedrock_counts(bedrock: Any, model: str) -> None:
    asked = {"converse": {"messages": [user("Hello there.")]}}
    assert is_counted(model, bedrock.count_tokens(modelId=model, input=asked)["inputTokens"])


def test_bedrock_invoke(bedrock: Any, model: str) -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    if model == "bedrock":
        pytest.skip("the scripted provider has no InvokeModel")
    told = bedrock.invoke_model(modelId=model, body=json.dumps(body))
    assert json.loads(told["body"].read())["content"] == [{"type": "text", "text": TEXT}]
    events = bedrock.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
    pieces = [json.loads(event["chunk"]["bytes"]) for event in events]
    said = [piece["delta"]["text"] for piece in pieces if piece["type"] == "content_block_delta"]
    assert said == list(WORDS)


# Cohere -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def commander(gateway: Gateway) -> Iterator[cohere.ClientV2]:
    client = cohere.ClientV2(api_key=KEY, base_url=gateway.base_url.removesuffix("/v1"))
    yield client
    client._client_wrapper.httpx_client.httpx_client.close()  # it has no method for that


def test_cohere(commander: cohere.ClientV2, model: str) -> None:
    whole = commander.chat(model=model, messages=[cohere.UserChatMessageV2(content="Hi")])
    content: Any = whole.message.content
    assert "".join(part.text for part in content) == TEXT
    assert whole.finish_reason == "COMPLETE"
    usage: Any = whole.usage
    assert (usage.tokens.input_tokens, usage.tokens.output_tokens) == (INPUT, OUTPUT)


def test_cohere_stream(commander: cohere.ClientV2, model: str) -> None:
    events: list[Any] = list(commander.chat_stream(model=model, messages=[cohere.UserChatMessageV2(content="Hi")]))
    said = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert said == list(WORDS)
    assert (events[-1].type, events[-1].delta.usage.tokens.output_tokens) == ("message-end", OUTPUT)


def test_cohere_tools(commander: cohere.ClientV2, model: str) -> None:
    function = {"name": "get_weather", "parameters": SCHEMA}
    asked: dict[str, Any] = {"model": model, "tools": [{"type": "function", "function": function}]}
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    said: Any = commander.chat(messages=messages, **asked).message
    (call,) = said.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", PLACE)
    messages += [said, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    content: Any = commander.chat(messages=messages, **asked).message.content
    assert "".join(part.text for part in content) == TEXT


# Ollama -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def local(gateway: Gateway) -> Iterator[ollama.Client]:
    client = ollama.Client(host=gateway.base_url.removesuffix("/v1"), headers={"authorization": f"Bearer {KEY}"})
    yield client
    client._client.close()  # it has no method for that


def test_ollama(local: ollama.Client, model: str) -> None:
    whole = local.chat(model=model, messages=[ollama.Message(role="user", content="Hi")])
    assert (whole.message.content, whole.done_reason) == (TEXT, "stop")
    assert (whole.prompt_eval_count, whole.eval_count) == (INPUT, OUTPUT)


def test_ollama_stream(local: ollama.Client, model: str) -> None:
    lines = list(local.chat(model=model, messages=[ollama.Message(role="user", content="Hi")], stream=True))
    assert [line.message.content for line in lines if line.message.content] == list(WORDS)
    assert (lines[-1].done, lines[-1].eval_count) == (True, OUTPUT)


def test_ollama_tools(local: ollama.Client, model: str) -> None:
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    messages: list[Any] = [{"role": "user", "content": ASKED}]
    said = local.chat(model=model, messages=messages, tools=[get_weather]).message
    assert said.tool_calls is not None
    (call,) = said.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", PLACE)
    messages += [said, {"role": "tool", "tool_name": "get_weather", "content": get_weather(**PLACE)}]
    assert local.chat(model=model, messages=messages, tools=[get_weather]).message.content == TEXT


def test_ollama_lists_models(local: ollama.Client) -> None:
    assert KINDS.keys() <= {model.model for model in local.list().models}
    with pytest.raises(ollama.ResponseError, match="does not exist") as raised:
        local.chat(model="absent", messages=[ollama.Message(role="user", content="Hi")])
    assert raised.value.status_code == 404


# Mistral ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mistral(gateway: Gateway) -> Iterator[Mistral]:
    with Mistral(api_key=KEY, server_url=gateway.base_url.removesuffix("/v1")) as client:
        yield client


def test_mistral(mistral: Mistral, model: str) -> None:
    whole = mistral.chat.complete(model=model, messages=[{"role": "user", "content": "Hi"}], random_seed=7)
    (choice,) = whole.choices
    assert choice.message is not None
    assert (choice.message.content, choice.finish_reason) == (TEXT, "stop")
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (INPUT, OUTPUT)


def test_mistral_stream(mistral: Mistral, model: str) -> None:
    with mistral.chat.stream(model=model, messages=[{"role": "user", "content": "Hi"}]) as events:
        chunks = [event.data for event in events]
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [text for text in said if text] == list(WORDS)
    assert not any(chunk.usage for chunk in chunks), "told to who asks for it, and this SDK has no word for that"


def test_mistral_tools(mistral: Mistral, model: str) -> None:
    asked: dict[str, Any] = {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]}
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    said: Any = mistral.chat.complete(model=model, messages=messages, **asked).choices[0].message
    (call,) = said.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", PLACE)
    messages += [said, {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"}]
    answer: Any = mistral.chat.complete(model=model, messages=messages, **asked).choices[0].message
    assert answer.content == TEXT
