"""The rehearsal answers clients of every dialect: it thinks, calls tools and streams, in their own words."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import boto3
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from tests.gateway.polyglot import SCHEMA
from tests.gateway.stage import Stage

ASKED = "Use the tool get_weather."


@pytest.fixture
def root(stage: Stage) -> str:
    return stage.base_url.removesuffix("/v1")


def test_anthropic(stage: Stage, root: str) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    tools: Any = [{"name": "get_weather", "input_schema": SCHEMA}]
    with (
        anthropic.Anthropic(base_url=root, api_key=stage.key, max_retries=0) as client,
        client.messages.stream(
            model="demo",
            max_tokens=2000,
            thinking=thinking,
            tools=tools,
            messages=[{"role": "user", "content": ASKED}],
        ) as stream,
    ):
        told = stream.get_final_message()
    assert [block.type for block in told.content] == ["thinking", "tool_use"]
    assert told.stop_reason == "tool_use"
    assert told.usage.output_tokens > 16


def test_openai_responses(stage: Stage) -> None:
    with openai.OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
        told = client.responses.create(model="demo", input="Hi", reasoning={"effort": "low"})
    assert [item.type for item in told.output] == ["reasoning", "message"]
    assert told.usage is not None
    assert told.usage.output_tokens_details.reasoning_tokens == 16


def test_bedrock(stage: Stage, root: str) -> None:
    key = {"aws_access_key_id": stage.key, "aws_secret_access_key": stage.key, "region_name": "us-east-1"}
    client: Any = boto3.client("bedrock-runtime", endpoint_url=root, **key)
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": SCHEMA}}}]}
    messages = [{"role": "user", "content": [{"text": ASKED}]}]
    events = list(client.converse_stream(modelId="demo", messages=messages, toolConfig=tools)["stream"])
    pieces = [
        event["contentBlockDelta"]["delta"]["toolUse"]["input"]
        for event in events
        if "toolUse" in event.get("contentBlockDelta", {}).get("delta", {})
    ]
    assert "city" in json.loads("".join(pieces))
    assert [event["messageStop"]["stopReason"] for event in events if "messageStop" in event] == ["tool_use"]


def test_gemini(stage: Stage, root: str) -> None:
    with genai.Client(api_key=stage.key, http_options=types.HttpOptions(base_url=root)) as client:
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
        config = types.GenerateContentConfig(thinking_config=thinking)
        told = client.models.generate_content(model="demo", contents="Hi", config=config)
    assert told.candidates is not None
    assert told.candidates[0].content is not None
    parts = told.candidates[0].content.parts or []
    assert [bool(part.thought) for part in parts] == [True, False]


def test_ollama(stage: Stage, root: str) -> None:
    client = ollama.Client(host=root, headers={"authorization": f"Bearer {stage.key}"})
    lines = list(client.chat(model="demo", messages=[{"role": "user", "content": "Hi"}], stream=True, think="low"))
    client._client.close()  # it has no method for that
    assert "".join(line.message.thinking or "" for line in lines)
    assert "".join(line.message.content or "" for line in lines)
