"""What the vendors' SDKs make of an answer or an event: their own types, which say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
from anthropic.types import Message, RawMessageStreamEvent
from botocore.validate import ParamValidator
from cohere import V2ChatResponse, V2ChatStreamResponse
from google.genai.types import GenerateContentResponse
from ollama import ChatResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

Check = Callable[[Any], Any]
ANTHROPIC_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RESPONSES_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
COHERE_EVENT: TypeAdapter[Any] = TypeAdapter(V2ChatStreamResponse)


@cache
def _shape(name: str) -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime").shape_for(name)


def converse(name: str, value: Any) -> None:
    """Hold a value to a shape of AWS's own description of its API."""
    found = ParamValidator().validate(value, _shape(name))
    if found.has_errors():
        raise ValueError(found.generate_report())


WHOLE: dict[str, Check] = {
    "openai_chat": ChatCompletion.model_validate,
    "openai_responses": Response.model_validate,
    "anthropic": Message.model_validate,
    "gemini": GenerateContentResponse.model_validate,
    "bedrock": lambda value: converse("ConverseResponse", value),
    "bedrock_invoke": Message.model_validate,
    "vertex_claude": Message.model_validate,
    "cohere": V2ChatResponse.model_validate,
    "ollama": ChatResponse.model_validate,
    "watsonx": ChatCompletion.model_validate,
}
EVENT: dict[str, Check] = {
    "openai_chat": ChatCompletionChunk.model_validate,
    "openai_responses": RESPONSES_EVENT.validate_python,
    "anthropic": ANTHROPIC_EVENT.validate_python,
    "gemini": GenerateContentResponse.model_validate,
    "vertex_claude": ANTHROPIC_EVENT.validate_python,
    "cohere": COHERE_EVENT.validate_python,
    "ollama": ChatResponse.model_validate,
    "watsonx": ChatCompletionChunk.model_validate,
}


def answer_fault(dialect: str, written: bytes) -> str:
    """What the SDK says of a whole answer; empty: nothing."""
    return _fault(WHOLE[dialect], json.loads(written))


def stream_fault(dialect: str, frames: list[tuple[str, bytes]]) -> str:
    """What the SDK says of the first bad event of a stream; empty: nothing."""
    for name, data in frames:
        if data == b"[DONE]" or dialect == "bedrock_invoke":  # whose SDK hands bytes on
            continue
        event = json.loads(data)
        if dialect == "bedrock":
            found = _fault(lambda value: converse("ConverseStreamOutput", value), {name: event})
        else:
            found = _fault(EVENT[dialect], event)
        if found:
            return found
    return ""


def _fault(check: Check, value: Any) -> str:
    try:
        check(value)
    except ValidationError as error:
        return f"the SDK says {error.errors()[0]['loc']} {error.errors()[0]['msg']}"
    except ValueError as error:
        return f"the SDK says {error}"
    return ""
