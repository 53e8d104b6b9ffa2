from __future__ import annotations

import json
from typing import Any

import pytest
from tests.realtime.provider import LIVE_USAGE, USAGE

from dragoman.realtime.meter import GeminiMeter, OpenAIMeter, Turn
from dragoman.usage.row import Tokens


def done(usage: Any, **response: Any) -> str:
    return json.dumps({"type": "response.done", "response": {"status": "completed", "usage": usage} | response})


def test_a_response_that_is_done_ends_a_turn() -> None:
    tokens = Tokens(input=120, output=60, cached_input=52, audio_input=60, audio_output=48, cached_audio=20)
    assert OpenAIMeter().see(done(USAGE)) == Turn(tokens, "completed")
    assert OpenAIMeter().see(done(USAGE, status="cancelled").encode()) == Turn(tokens, "cancelled")


def test_what_is_heard_is_a_turn_of_another_model_s() -> None:
    event = {"type": OpenAIMeter.HEARD, "transcript": "Hi", "usage": {"input_tokens": 11, "output_tokens": 2}}
    assert OpenAIMeter().see(json.dumps(event)) == Turn(Tokens(input=11, output=2), "stop", transcription=True)
    assert OpenAIMeter().see(json.dumps(event | {"usage": {"type": "duration", "seconds": 3}})) is None


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"response.output_text.delta","delta":"response.done"}',
        '{"type":"response.done"}',
        done(None),
        done([1]),
        '"response.done"',
        "response.done",
        b"\xff response.done",
        "[" * 5000 + "response.done",
    ],
)
def test_nothing_else_is_one(frame: str | bytes) -> None:
    assert OpenAIMeter().see(frame) is None
    assert OpenAIMeter().end() is None


def live(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_turn_of_gemini_s_ends_with_the_last_usage() -> None:
    meter = GeminiMeter()
    assert meter.see(live(usageMetadata={"promptTokenCount": 1, "totalTokenCount": 1})) is None
    assert meter.see(live(usageMetadata=LIVE_USAGE)) is None
    turn = meter.see(live(serverContent={"turnComplete": True}))
    assert turn == Turn(Tokens(input=30, output=7, audio_input=25, audio_output=7), "stop")
    assert meter.end() is None


def test_a_turn_that_does_not_end_is_counted_when_the_session_does() -> None:
    meter = GeminiMeter()
    meter.see(live(usageMetadata=LIVE_USAGE).decode())
    turn = meter.end()
    assert turn is not None
    assert turn.tokens.output == 7


@pytest.mark.parametrize("frame", [b"usageMetadata", live(usageMetadata=7), live(serverContent={"turnComplete": 1})])
def test_frames_of_gemini_s_that_are_none(frame: bytes) -> None:
    meter = GeminiMeter()
    assert meter.see(frame) is None
    assert meter.end() is None
