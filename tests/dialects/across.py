"""From one dialect into another, as a test says it: JSON in, JSON out."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.recorded import frames_of

from dragoman.core import event_stream_message
from dragoman.dialects.canonical import Event, Report, Request
from dragoman.dialects.continuity import family_of
from dragoman.dialects.dialect import Asked, Frame, Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.undo import Undo, UndoStream, undo_answer

MODELS = {
    "openai_chat": "gpt-4o",
    "openai_responses": "gpt-5.2",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-sonnet-4-5-v1:0",
    "cohere": "command-a-03-2025",
    "ollama": "qwen3",
    "bedrock_invoke": "anthropic.claude-sonnet-4-5-v1:0",
    "watsonx": "ibm/granite-3-8b-instruct",
    "vertex_claude": "claude-sonnet-4-5@20250929",
}
PROVIDERS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "bedrock": "bedrock",
    "bedrock_invoke": "bedrock",
    "vertex_claude": "vertex-anthropic",
    "watsonx": "watsonx",
    "cohere": "cohere",
    "ollama": "ollama",
}


def target(dialect: str, model: str = "", **more: Any) -> Target:
    """A model of a dialect's own vendor, or the one named."""
    model = model or MODELS[dialect]
    provider = more.pop("provider", PROVIDERS[dialect])
    return Target(model=model, provider=provider, family=family_of(provider, model), **more)


def read(dialect: str, body: Any, **at: Any) -> Request:
    """A client's request."""
    return DIALECTS[dialect].read_request(json.dumps(body).encode(), Path(**at))


class Written:
    """A request as a provider gets it."""

    def __init__(self, request: Request, to: str, aim: Target) -> None:
        losses = Losses()
        outgoing = DIALECTS[to].write_request(request, aim, losses)
        self.body: dict[str, Any] = json.loads(outgoing.body)
        self.path = outgoing.path
        self.headers = dict(outgoing.headers)
        self.undo: Undo = outgoing.undo
        self.lossy = losses.header()
        self.losses = losses


def write(source: str, body: Any, to: str, model: str = "", **more: Any) -> Written:
    """A request of one dialect, written in another."""
    at = {"model": MODELS[source], "stream": more.pop("stream", None)} if source in ("gemini", "bedrock") else {}
    return Written(read(source, body, **at), to, target(to, model, **more))


def answer(source: str, body: Any, to: str, *, asked: Any = None, undo: Undo | None = None) -> dict[str, Any]:
    """A provider's answer, written for a client."""
    told = DIALECTS[source].read_answer(json.dumps(body).encode(), target(source))
    written: dict[str, Any] = json.loads(
        DIALECTS[to].write_answer(undo_answer(told, undo or Undo()), asking(to, asked))
    )
    return written


def asking(to: str, asked: Any = None) -> Asked:
    """What an answer is written for."""
    request = Request(dialect=to, model="asked", messages=()) if asked is None else asked
    return Asked(request=request, request_id="req_1", created_s=1_700_000_000)


def sse(*events: Any) -> list[Frame]:
    """Server-sent events of some objects, named by their type."""
    return [
        (event.get("type", "") if isinstance(event, dict) else "", event if isinstance(event, bytes) else _dumps(event))
        for event in events
    ]


def _dumps(event: Any) -> bytes:
    return json.dumps(event).encode()


def named(*events: tuple[str, Any]) -> list[Frame]:
    """Events with names of their own."""
    return [(name, _dumps(event)) for name, event in events]


def events_of(source: str, frames: list[Frame], *, end: bool = True) -> list[Event]:
    """What a provider's stream means."""
    reader = DIALECTS[source].reader(target(source))
    events = reader.read(frames)
    return events + reader.finish() if end else events


def stream(
    source: str, frames: list[Frame], to: str, *, asked: Any = None, undo: Undo | None = None
) -> list[tuple[str, Any]]:
    """A provider's stream, written for a client, frame by frame."""
    reader, writer = DIALECTS[source].reader(target(source)), DIALECTS[to].writer(asking(to, asked))
    undoing = UndoStream(undo or Undo())
    data = b"".join(writer.write(undoing.events(reader.read([frame]))) for frame in frames)
    data += writer.write(undoing.events(reader.finish())) + writer.finish()
    return told(to, data)


def failed(to: str, report: Report, *, asked: Any = None) -> list[tuple[str, Any]]:
    """What ends a stream that has failed."""
    return told(to, DIALECTS[to].writer(asking(to, asked)).fail(report))


def told(to: str, data: bytes) -> list[tuple[str, Any]]:
    """The events of a stream that was written, read as JSON but for OpenAI's end."""
    frames = frames_of(data, DIALECTS[to].stream_type)
    return [(name, json.loads(frame) if frame != b"[DONE]" else "[DONE]") for name, frame in frames]


def binary(*events: tuple[str, Any]) -> bytes:
    """Amazon's messages of some objects."""
    return b"".join(event_stream_message(name, _dumps(event)) for name, event in events)
