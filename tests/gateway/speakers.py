"""Providers of every dialect, as their vendors' documents have them: each says "Hello.", or calls ``get_weather``.

One scripted provider plays them all. Which one is meant is in the path, what it does in the request: it streams where
it is asked to, and calls the tool that it is given unless a result has come back.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

from tests.gateway.upstream import DONE, LAST_CHUNK, Connection, answer, chunk, head

from dragoman.core import event_stream_message

WORDS = ("Hel", "lo.")
TEXT = "".join(WORDS)
PLACE = {"city": "Paris"}
ARGUMENTS = json.dumps(PLACE)
INPUT, OUTPUT = 9, 3
# How long a prompt is, wherever that is asked: the path's end, and the field of the answer.
COUNT = 77
COUNTED = {"count_tokens": "input_tokens", ":countTokens": "totalTokens", "count-tokens": "inputTokens"}


def speak(connection: Connection) -> None:
    """Answer in the dialect of the path."""
    request = connection.request
    assert request is not None
    said = request.body.decode()
    called = "get_weather" in said and not any(mark in said for mark in RESULTS)
    if request.path.endswith(tuple(COUNTED)):
        (field,) = (field for ending, field in COUNTED.items() if request.path.endswith(ending))
        answer(json.dumps({field: COUNT}).encode())(connection)
        return
    name, streamed = spoken(request.path, request.json)
    number = next(NUMBERS)
    if not streamed:
        told = json.dumps(WHOLE[name](called))
        if '"city"' in said and "get_weather" not in said:  # an answer by schema
            told = told.replace(json.dumps(TEXT), json.dumps(ARGUMENTS))
        answer(numbered(told.encode(), number))(connection)
        return
    kind = STREAM_TYPES.get(name, "text/event-stream")
    connection.send(head(200, content_type=kind, transfer_encoding="chunked"))
    for part in STREAMED[name](called):
        connection.send(chunk(part if name in STREAM_TYPES else numbered(part, number)))
    connection.send(LAST_CHUNK)


NUMBERS = itertools.count(1)


def numbered(data: bytes, number: int) -> bytes:
    """What an answer says, with ids of its own: clients take two answers of one id for one. Binary ones have none."""
    return re.sub(rb'(id": "[a-z]{1,5}_?)1"', rb'\g<1>%d"' % number, data)


# What a request holds when a tool's result has come back.
RESULTS = ('"role":"tool"', '"role": "tool"', "tool_result", "function_call_output", "functionResponse", "toolResult")


def spoken(path: str, body: Any) -> tuple[str, bool]:
    """Which dialect a path is of, and whether a stream is asked for."""
    if path.endswith("/chat/completions"):
        return "openai_chat", bool(body.get("stream"))
    if path.endswith("/responses"):
        return "openai_responses", bool(body.get("stream"))
    if path.endswith("/messages"):
        return "anthropic", bool(body.get("stream"))
    if path.endswith("awPredict"):
        return "anthropic", path.endswith(":streamRawPredict")
    if path.endswith("/ollama/chat"):
        return "ollama", bool(body.get("stream"))
    if path.endswith("/chat"):
        return "cohere", bool(body.get("stream"))
    if "/model/" in path:
        return "bedrock", path.endswith("-stream")
    return "gemini", "streamGenerateContent" in path


def sse(*events: dict[str, Any], named: bool = False) -> list[bytes]:
    """Server-sent events."""
    names = [f"event: {event['type']}\n" if named else "" for event in events]
    return [f"{name}data: {json.dumps(event)}\n\n".encode() for name, event in zip(names, events, strict=True)]


# OpenAI chat ------------------------------------------------------------------------------------------------------

CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
CHAT_USAGE = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}


def chat(called: bool) -> dict[str, Any]:
    said = {"content": None, "tool_calls": [CHAT_CALL]} if called else {"content": TEXT}
    reason = "tool_calls" if called else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": reason}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chat_stream(called: bool) -> list[bytes]:
    pieces = [{"index": 0, **CHAT_CALL}] if called else []
    deltas: list[dict[str, Any]] = [{"tool_calls": [piece]} for piece in pieces] or [
        {"content": word} for word in WORDS
    ]
    chunks = [(delta, None) for delta in [{"role": "assistant", "content": ""}, *deltas]]
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [
        about | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in [*chunks, ({}, "tool_calls" if called else "stop")]
    ]
    return [*sse(*events, about | {"choices": [], "usage": CHAT_USAGE}), DONE]


# OpenAI Responses -------------------------------------------------------------------------------------------------


def response_item(called: bool) -> dict[str, Any]:
    if called:
        about = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
        return about | {"name": "get_weather", "arguments": ARGUMENTS}
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def response(called: bool) -> dict[str, Any]:
    usage = {"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
    about = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return about | {"output": [response_item(called)], "usage": usage}


def response_stream(called: bool) -> list[bytes]:
    begun = response(called) | {"status": "in_progress", "output": [], "usage": None}
    item, place = response_item(called), {"output_index": 0}
    if called:
        pieces = [{"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": ARGUMENTS, **place}]
        opened = item | {"arguments": "", "status": "in_progress"}
    else:
        pieces = [
            {"type": "response.output_text.delta", "item_id": "msg_1", "content_index": 0, "delta": word, **place}
            for word in WORDS
        ]
        part = {"type": "output_text", "text": "", "annotations": []}
        pieces = [
            {"type": "response.content_part.added", "item_id": "msg_1", "content_index": 0, "part": part, **place},
            *pieces,
        ]
        opened = item | {"content": [], "status": "in_progress"}
    return sse(
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "item": opened, **place},
        *pieces,
        {"type": "response.output_item.done", "item": item, **place},
        {"type": "response.completed", "response": response(called)},
        named=True,
    )


# Anthropic --------------------------------------------------------------------------------------------------------


def message(called: bool) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": PLACE}
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    return about | {
        "content": [call if called else {"type": "text", "text": TEXT}],
        "stop_reason": "tool_use" if called else "end_turn",
        "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT},
    }


def message_stream(called: bool) -> list[bytes]:
    begun = message(called) | {"content": [], "stop_reason": None}
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": ARGUMENTS}]
    if not called:
        block, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in WORDS]
    stop = {"stop_reason": "tool_use" if called else "end_turn", "stop_sequence": None}
    return sse(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": OUTPUT}},
        {"type": "message_stop"},
        named=True,
    )


# Gemini -----------------------------------------------------------------------------------------------------------


def candidate(parts: list[dict[str, Any]], reason: str = "") -> dict[str, Any]:
    told = {"content": {"role": "model", "parts": parts}, "index": 0}
    return told | {"finishReason": reason} if reason else told


def gemini_parts(called: bool) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": "get_weather", "args": PLACE}}] if called else [{"text": word} for word in WORDS]


def gemini(called: bool) -> dict[str, Any]:
    usage = {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT}
    about = {"modelVersion": "m", "responseId": "r1", "usageMetadata": usage}
    parts = gemini_parts(called) if called else [{"text": TEXT}]
    return about | {"candidates": [candidate(parts, "STOP")]}


def gemini_stream(called: bool) -> list[bytes]:
    *first, last = gemini_parts(called)
    chunks = [{"candidates": [candidate([part])], "modelVersion": "m", "responseId": "r1"} for part in first]
    return sse(*chunks, gemini(called) | {"candidates": [candidate([last], "STOP")]})


# Bedrock ----------------------------------------------------------------------------------------------------------


def converse(called: bool) -> dict[str, Any]:
    call = {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": PLACE}}
    return {
        "output": {"message": {"role": "assistant", "content": [call if called else {"text": TEXT}]}},
        "stopReason": "tool_use" if called else "end_turn",
        "usage": {"inputTokens": INPUT, "outputTokens": OUTPUT, "totalTokens": INPUT + OUTPUT},
        "metrics": {"latencyMs": 5},
    }


def converse_stream(called: bool) -> list[bytes]:
    start = {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather"}}
    whole = converse(called)
    place = {"contentBlockIndex": 0}
    deltas: list[dict[str, Any]] = [{"toolUse": {"input": ARGUMENTS}}] if called else [{"text": word} for word in WORDS]
    events: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        *([("contentBlockStart", {"start": start, **place})] if called else []),
        *(("contentBlockDelta", {"delta": delta, **place}) for delta in deltas),
        ("contentBlockStop", place),
        ("messageStop", {"stopReason": whole["stopReason"]}),
        ("metadata", {"usage": whole["usage"], "metrics": whole["metrics"]}),
    ]
    return [event_stream_message(name, json.dumps(event).encode()) for name, event in events]


# Cohere -----------------------------------------------------------------------------------------------------------

COHERE_USAGE = {"tokens": {"input_tokens": INPUT, "output_tokens": OUTPUT}}


def cohere(called: bool) -> dict[str, Any]:
    said = {"tool_calls": [CHAT_CALL]} if called else {"content": [{"type": "text", "text": TEXT}]}
    reason = "TOOL_CALL" if called else "COMPLETE"
    return {"id": "a1", "message": {"role": "assistant", **said}, "finish_reason": reason, "usage": COHERE_USAGE}


def cohere_stream(called: bool) -> list[bytes]:
    def told(kind: str, **message: Any) -> dict[str, Any]:
        return {"type": kind, "index": 0, "delta": {"message": message}}

    if called:
        begun = CHAT_CALL | {"function": {"name": "get_weather", "arguments": ""}}
        middle = [
            told("tool-call-start", tool_calls=begun),
            told("tool-call-delta", tool_calls={"function": {"arguments": ARGUMENTS}}),
            {"type": "tool-call-end", "index": 0},
        ]
    else:
        middle = [
            told("content-start", content={"type": "text", "text": ""}),
            *(told("content-delta", content={"text": word}) for word in WORDS),
            {"type": "content-end", "index": 0},
        ]
    start = {"type": "message-start", "id": "a1", "delta": {"message": {"role": "assistant"}}}
    end = {"finish_reason": "TOOL_CALL" if called else "COMPLETE", "usage": COHERE_USAGE}
    return sse(start, *middle, {"type": "message-end", "delta": end}, named=True)


# Ollama -----------------------------------------------------------------------------------------------------------


def ollama(called: bool) -> dict[str, Any]:
    return ollama_line(TEXT, called=called, done=True)


def ollama_line(said: str = "", *, called: bool = False, done: bool = False) -> dict[str, Any]:
    call = {"function": {"name": "get_weather", "arguments": PLACE}}
    told = {"content": "", "tool_calls": [call]} if called else {"content": said}
    line = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", **told}, "done": done}
    counts = {"done_reason": "stop", "total_duration": 5, "prompt_eval_count": INPUT, "eval_count": OUTPUT}
    return line | (counts if done else {})


def ollama_stream(called: bool) -> list[bytes]:
    said = [ollama_line(called=True)] if called else [ollama_line(word) for word in WORDS]
    return [json.dumps(line).encode() + b"\n" for line in [*said, ollama_line(done=True)]]


WHOLE: dict[str, Callable[[bool], dict[str, Any]]] = {
    "openai_chat": chat,
    "openai_responses": response,
    "anthropic": message,
    "gemini": gemini,
    "bedrock": converse,
    "cohere": cohere,
    "ollama": ollama,
}
STREAMED: dict[str, Callable[[bool], list[bytes]]] = {
    "openai_chat": chat_stream,
    "openai_responses": response_stream,
    "anthropic": message_stream,
    "gemini": gemini_stream,
    "bedrock": converse_stream,
    "cohere": cohere_stream,
    "ollama": ollama_stream,
}
STREAM_TYPES = {"bedrock": "application/vnd.amazon.eventstream", "ollama": "application/x-ndjson"}
