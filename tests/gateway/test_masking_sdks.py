"""Official SDKs through a gateway that masks: providers of no dialect see a raw value, clients see all of theirs.

The provider says back what it was told: the placeholder of an address, cut in the middle where it streams, and that of
a card as a tool's argument. Which they are is known beforehand, since they depend on the tenant and the value alone.
"""

from __future__ import annotations

import hmac
import json
import types as python_types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import cohere
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from tests.gateway import speakers
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import KEY, KINDS, SCHEMA, with_speaker
from tests.gateway.upstream import Upstream

from dragoman.core import Masker

PEPPER = "a pepper of more than thirty-two bytes for these tests"
MAIL = "ann.lee@example.com"
CARD = "4111 1111 1111 1111"
SECRET = "ghp_9fK2mQ7xLr4TzW8bN1vY5cH3jD6gP0sEuRaX"
ASKED = f"What is the weather? Write to {MAIL}, or charge {CARD}. My token: {SECRET}"
RAW = (MAIL, "ann.lee", "4111 1111", "41111111", SECRET)
TENANT = hmac.digest(PEPPER.encode(), b"placeholders\0acme", "sha256")


def placeholder(value: str) -> str:
    return Masker().session(TENANT).mask(value)


def parrot() -> python_types.ModuleType:
    """The speakers, saying an address and calling with a card, as they were told them."""
    said = placeholder(MAIL)
    module = python_types.ModuleType("parrot")
    source = Path(speakers.__file__).read_text()
    source = source.replace('("Hel", "lo.")', repr((f"To {said[:9]}", f"{said[9:]}.")))
    source = source.replace('{"city": "Paris"}', repr({"city": placeholder(CARD)}))
    exec(compile(source, speakers.__file__, "exec"), module.__dict__)
    return module


TEXT = f"To {MAIL}."
PLACE = {"city": CARD}


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Upstream]]:
    more = {"guardrails": {"pii": {"mask": {}}}}
    yield from with_speaker(tmp_path_factory.mktemp("masked"), parrot().speak, more, {"DRAGOMAN_PEPPER": PEPPER})


@pytest.fixture
def gateway(masked: tuple[Gateway, Upstream]) -> Iterator[Gateway]:
    gateway, upstream = masked
    before = len(upstream.requests)
    yield gateway
    sent = [request.body.decode() for request in upstream.requests[before:]]
    assert sent
    for body in sent:
        assert [raw for raw in RAW if raw in body] == [], body
    assert any(placeholder(MAIL) in body for body in sent)


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chats(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_chat(chats: openai.OpenAI, model: str, streamed: bool) -> None:
    messages: list[Any] = [{"role": "system", "content": f"The user is {MAIL}."}, {"role": "user", "content": ASKED}]
    if streamed:
        with chats.chat.completions.stream(model=model, messages=messages) as stream:
            whole: Any = stream.get_final_completion()
    else:
        whole = chats.chat.completions.create(model=model, messages=messages)
    assert whole.choices[0].message.content == TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_chat_tools(chats: openai.OpenAI, model: str, streamed: bool) -> None:
    function = {"name": "get_weather", "description": f"For {MAIL}", "parameters": SCHEMA}
    tools: Any = [{"type": "function", "function": function}]
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    if streamed:
        with chats.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = chats.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == PLACE
    said = message.model_dump(include={"role", "content", "tool_calls"})
    for one in said["tool_calls"]:
        one["function"].pop("parsed_arguments", None)
    messages += [said, {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"mail": MAIL, "card": CARD})}]
    answer = chats.chat.completions.create(model=model, messages=messages, tools=tools)
    assert answer.choices[0].message.content == TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_responses(chats: openai.OpenAI, model: str, streamed: bool) -> None:
    if streamed:
        with chats.responses.stream(model=model, input=ASKED, instructions=f"Obey {MAIL}.") as stream:
            assert stream.get_final_response().output_text == TEXT
        return
    first = chats.responses.create(model=model, input=ASKED, instructions=f"Obey {MAIL}.")
    assert first.output_text == TEXT
    if model not in ("openai_chat", "openai_responses"):  # whose providers keep their own
        second = chats.responses.create(model=model, input="And?", previous_response_id=first.id)
        assert second.output_text == TEXT
        assert chats.responses.retrieve(first.id).output_text == TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic(gateway: Gateway, model: str, streamed: bool) -> None:
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 64,
        "system": f"The user is {MAIL}.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}],
        "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
    }
    root = gateway.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=root, api_key=KEY, max_retries=0) as client:

        def ask() -> Any:
            if not streamed:
                return client.messages.create(**asked)
            with client.messages.stream(**asked) as stream:
                return stream.get_final_message()

        said = ask()
        (call,) = said.content
        assert call.input == PLACE
        result = {"type": "tool_result", "tool_use_id": call.id, "content": f"sunny for {MAIL}"}
        asked["messages"] += [{"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
        assert ask().content[0].text == TEXT
        counted = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": ASKED}])
        assert counted.input_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_google(gateway: Gateway, model: str, streamed: bool) -> None:
    options = types.HttpOptions(base_url=gateway.base_url.removesuffix("/v1"))
    with genai.Client(api_key=KEY, http_options=options) as client:
        if streamed:
            chunks = list(client.models.generate_content_stream(model=model, contents=ASKED))
            assert "".join(chunk.text or "" for chunk in chunks) == TEXT
            return
        asked: list[str] = []

        def get_weather(city: str) -> str:
            """The weather in a city."""
            asked.append(city)
            return f"sunny for {MAIL}"

        config = types.GenerateContentConfig(tools=[get_weather], system_instruction=f"Obey {MAIL}.")
        assert client.models.generate_content(model=model, contents=ASKED, config=config).text == TEXT
        assert asked == [CARD]


@pytest.mark.parametrize("streamed", [False, True])
def test_bedrock(gateway: Gateway, model: str, streamed: bool) -> None:
    key = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region_name": "us-east-1"}
    client: Any = boto3.client("bedrock-runtime", endpoint_url=gateway.base_url.removesuffix("/v1"), **key)
    messages: list[Any] = [{"role": "user", "content": [{"text": ASKED}]}]
    if streamed:
        events = list(client.converse_stream(modelId=model, messages=messages)["stream"])
        said = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
        assert "".join(said) == TEXT
        return
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": SCHEMA}}}]}
    first = client.converse(modelId=model, messages=messages, toolConfig=tools)["output"]["message"]
    call = first["content"][0]["toolUse"]
    assert call["input"] == PLACE
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"to": MAIL, "cards": [CARD]}}]}
    messages += [first, {"role": "user", "content": [{"toolResult": result}]}]
    second = client.converse(modelId=model, messages=messages, toolConfig=tools)
    assert second["output"]["message"]["content"] == [{"text": TEXT}]


def cohere_text(root: str, model: str, streamed: bool) -> str:
    client = cohere.ClientV2(api_key=KEY, base_url=root)
    asked = [cohere.UserChatMessageV2(content=ASKED)]
    try:
        if not streamed:
            content: Any = client.chat(model=model, messages=asked).message.content
            return "".join(part.text for part in content)
        events: list[Any] = list(client.chat_stream(model=model, messages=asked))
        return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    finally:
        client._client_wrapper.httpx_client.httpx_client.close()  # it has no method for that


def ollama_text(root: str, model: str, streamed: bool) -> str:
    client = ollama.Client(host=root, headers={"authorization": f"Bearer {KEY}"})
    asked = [ollama.Message(role="user", content=ASKED)]
    try:
        if not streamed:
            return client.chat(model=model, messages=asked).message.content or ""
        return "".join(line.message.content or "" for line in client.chat(model=model, messages=asked, stream=True))
    finally:
        client._client.close()  # it has no method for that


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("ask", [cohere_text, ollama_text])
def test_cohere_and_ollama(gateway: Gateway, model: str, ask: Callable[[str, str, bool], str], streamed: bool) -> None:
    assert ask(gateway.base_url.removesuffix("/v1"), model, streamed) == TEXT
