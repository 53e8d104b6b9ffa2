"""Official SDKs before a gateway that holds their streams until they are judged: signs of life, then all of it at once.

What is refused ends as each dialect's own filter would end it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import cohere
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import KEY, with_speaker
from tests.gateway.speakers import speak
from tests.guardrails.called.services import serving

from dragoman.access.secret import create_secret

STRICT = create_secret()
PROVIDERS = ["openai_chat", "anthropic", "gemini"]
TEXT = "Hello."
ASKED: list[Any] = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving() as service:

        def judged(path: str, _: Any) -> Any:
            threading.Event().wait(0.1)  # signs of life in between
            return {"verdict": "block" if path == "/never" else "allow"}

        service.answer = judged
        about: dict[str, Any] = {"on": ["output", "tool_arguments"]}
        hooks = {name: {"url": f"{service.url}/{name}", "allow_private": True} for name in ("always", "never")}
        more = {
            "server": {"limits": {"heartbeat_s": 0.02}},
            "keys": [{"name": "sdk", "secret": KEY}, {"name": "strict", "secret": STRICT}],
            "guardrails": {
                "always": about | {"webhook": hooks["always"]},
                "never": about | {"webhook": hooks["never"], "applies_to": {"keys": ["strict"]}},
            },
        }
        for running, _ in with_speaker(tmp_path_factory.mktemp("held"), speak, more):
            yield running


@pytest.fixture(params=PROVIDERS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def told_openai(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        with client.chat.completions.stream(model=model, messages=ASKED) as stream:
            choice = list(stream)[-1] and stream.current_completion_snapshot.choices[0]
        return choice.message.content or "", str(choice.finish_reason)


def told_responses(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        events = list(client.responses.create(model=model, input="Hi", stream=True))
        done: Any = events[-1]
        details = done.response.incomplete_details
        return done.response.output_text, done.response.status if details is None else details.reason


def told_anthropic(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    root = gateway.base_url.removesuffix("/v1")
    with (
        anthropic.Anthropic(base_url=root, api_key=key, max_retries=0) as client,
        client.messages.stream(model=model, max_tokens=50, messages=ASKED) as stream,
    ):
        message = stream.get_final_message()
    return "".join(getattr(block, "text", "") for block in message.content), str(message.stop_reason)


def told_google(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    options = types.HttpOptions(base_url=gateway.base_url.removesuffix("/v1"))
    client = genai.Client(api_key=key, http_options=options)
    chunks = list(client.models.generate_content_stream(model=model, contents="Hi"))
    client.close()
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    return "".join(chunk.text or "" for chunk in chunks if chunk.candidates), str(
        reasons[-1].name if reasons[-1] else ""
    )


def told_bedrock(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=gateway.base_url.removesuffix("/v1"),
        aws_access_key_id=key,
        aws_secret_access_key=key,
    )
    messages = [{"role": "user", "content": [{"text": "Hi"}]}]
    events = list(client.converse_stream(modelId=model, messages=messages)["stream"])
    client.close()
    said = "".join(
        event["contentBlockDelta"]["delta"].get("text", "") for event in events if "contentBlockDelta" in event
    )
    return said, next(event["messageStop"]["stopReason"] for event in events if "messageStop" in event)


def told_cohere(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    client = cohere.ClientV2(api_key=key, base_url=gateway.base_url.removesuffix("/v1"))
    events: list[Any] = list(client.chat_stream(model=model, messages=ASKED))
    client._client_wrapper.httpx_client.httpx_client.close()  # it has no method for that
    said = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    return said, str(next(event.delta.finish_reason for event in events if event.type == "message-end"))


def told_ollama(gateway: Gateway, key: str, model: str) -> tuple[str, str]:
    root = gateway.base_url.removesuffix("/v1")
    client = ollama.Client(host=root, headers={"Authorization": f"Bearer {key}"})
    lines = list(client.chat(model=model, messages=ASKED, stream=True))
    client._client.close()  # it has no method for that
    return "".join(line.message.content or "" for line in lines), str(lines[-1].done_reason)


SDKS = {
    told_openai: ("stop", "content_filter"),
    told_responses: ("completed", "content_filter"),
    told_anthropic: ("end_turn", "refusal"),
    told_google: ("STOP", "SAFETY"),
    told_bedrock: ("end_turn", "content_filtered"),
    told_cohere: ("COMPLETE", "ERROR_TOXIC"),
    told_ollama: ("stop", "content_filter"),
}


@pytest.mark.parametrize("told", SDKS)
def test_a_stream_that_is_allowed_comes_whole(gateway: Gateway, model: str, told: Any) -> None:
    assert told(gateway, KEY, model) == (TEXT, SDKS[told][0])


@pytest.mark.parametrize("told", SDKS)
def test_one_that_is_refused_ends_as_its_dialect_ends_it(gateway: Gateway, model: str, told: Any) -> None:
    assert told(gateway, STRICT, model) == ("", SDKS[told][1])
