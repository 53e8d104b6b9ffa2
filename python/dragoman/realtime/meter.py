"""What a session uses, read from the frames that its provider sends."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from msgspec import Struct

from dragoman.dialects.canonical import Json
from dragoman.dialects.gemini.usage import read_usage
from dragoman.dialects.lenient import count, text_of
from dragoman.routing.settle import tokens_of_usage
from dragoman.usage.row import Tokens

_decode = msgspec.json.decode


class Turn(Struct, frozen=True):
    """What one turn used. ``transcription``: of another model, which writes down what was said."""

    tokens: Tokens
    finish_reason: str = ""
    transcription: bool = False


class Meter(Protocol):
    """Follows one session."""

    def see(self, frame: str | bytes) -> Turn | None:
        """Look at a frame of the provider's; the turn that it ends."""

    def end(self) -> Turn | None:
        """What has been used since the last turn, once the session is over."""


def _object(frame: str | bytes) -> Json:
    try:
        value = _decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _part(raw: Any, name: str) -> Json:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, dict) else {}


class OpenAIMeter:
    """Of ``response.done``, and of transcriptions of what was heard."""

    DONE = "response.done"
    HEARD = "conversation.item.input_audio_transcription.completed"

    def see(self, frame: str | bytes) -> Turn | None:
        """Look at a frame; nearly all say nothing of usage, and are not decoded."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if self.DONE not in text and self.HEARD not in text:
            return None
        event = _object(text)
        kind = text_of(event, "type")
        if kind == self.HEARD:
            tokens = self._tokens(_part(event, "usage"))
            return None if tokens is None else Turn(tokens, "stop", transcription=True)
        response = _part(event, "response") if kind == self.DONE else {}
        tokens = self._tokens(_part(response, "usage"))
        return None if tokens is None else Turn(tokens, text_of(response, "status"))

    def end(self) -> Turn | None:
        """Every response has been reported."""
        return None

    def _tokens(self, usage: Json) -> Tokens | None:
        if "input_tokens" not in usage and "output_tokens" not in usage:
            return None  # seconds, which have no price here
        told, said = _part(usage, "input_token_details"), _part(usage, "output_token_details")
        cached = _part(told, "cached_tokens_details")
        return Tokens(
            input=count(usage.get("input_tokens")),
            output=count(usage.get("output_tokens")),
            cached_input=count(told.get("cached_tokens")),
            reasoning=count(said.get("reasoning_tokens")),
            audio_input=max(0, count(told.get("audio_tokens")) - count(cached.get("audio_tokens"))),
            audio_output=count(said.get("audio_tokens")),
            cached_audio=count(cached.get("audio_tokens")),
            image_input=max(0, count(told.get("image_tokens")) - count(cached.get("image_tokens"))),
        )


class GeminiMeter:
    """Of ``usageMetadata``, which may be told several times a turn: the last one counts."""

    def __init__(self) -> None:
        self._used: Tokens | None = None

    def see(self, frame: str | bytes) -> Turn | None:
        """Look at a frame, whether it came as text or as bytes."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if "usageMetadata" not in text and "turnComplete" not in text:
            return None
        message = _object(text)
        told = _part(message, "usageMetadata")
        if told:
            self._used = self._tokens(told)
        return self.end() if _part(message, "serverContent").get("turnComplete") is True else None

    def end(self) -> Turn | None:
        """What is not yet part of a turn."""
        used, self._used = self._used, None
        return None if used is None else Turn(used, "stop")

    def _tokens(self, told: Json) -> Tokens | None:
        named = {
            **told,
            "candidatesTokenCount": told.get("responseTokenCount"),
            "candidatesTokensDetails": told.get("responseTokensDetails"),
        }
        usage = read_usage(named)
        return None if usage is None else tokens_of_usage(usage)
