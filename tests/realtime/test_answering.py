"""One answer on its way, without a network: what leaves with each frame."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from dragoman.access.principal import ANONYMOUS
from dragoman.config.guards import Guardrail
from dragoman.config.schema import Config, Limits
from dragoman.guardrails.build import build_guardrails
from dragoman.realtime.answering import Answering
from dragoman.realtime.speech.gemini import GeminiSpeech
from dragoman.realtime.speech.openai import OpenAISpeech

ABOUT = {"response_id": "r", "item_id": "i", "content_index": 0}
WORDS = {"words": {"deny": ["plutonium"]}}
MAIL = "ann@example.com"


class Told:
    """An answer, and all that has left of it."""

    def __init__(self, *, gemini: bool = False, limits: Limits | None = None, **guardrails: Any) -> None:
        config = {name: msgspec.convert(one, Guardrail) for name, one in guardrails.items()}
        guarding = build_guardrails(Config(guardrails=config)).begin(ANONYMOUS, "m", b"pepper")
        assert guarding is not None
        self.guarding = guarding
        self.speech = GeminiSpeech() if gemini else OpenAISpeech()
        self.answering = Answering(guarding, self.speech, limits or Config().server.limits)

    def take(self, *events: dict[str, Any]) -> list[Any]:
        """The frames that leave."""
        return [json.loads(frame) for event in events for frame in self.frames(event)]

    def frames(self, event: dict[str, Any]) -> list[str | bytes]:
        frame = json.dumps(event)
        return asyncio.run(self.answering.take(frame, event, self.speech.read(event)))


def delta(text: str, kind: str = "output_text") -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", **ABOUT, "delta": text}


def over(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.done", **ABOUT, "text": text}


DONE: dict[str, Any] = {"type": "response.done", "response": {"id": "r", "output": []}}


def test_a_frame_that_passes_as_it_is_is_not_written_anew() -> None:
    frame = '{ "type": "response.output_text.delta", "response_id": "r", "delta": "Hi" }'
    told = Told(pii={"mask": {}})
    event = json.loads(frame)
    assert asyncio.run(told.answering.take(frame, event, told.speech.read(event))) == [frame]


def test_what_was_held_back_leaves_before_what_ends_it() -> None:
    told = Told(topics=WORDS)
    assert told.take(delta("Hel"), delta("lo.")) == []
    assert told.take(over("Hello.")) == [delta("Hello."), over("Hello.")]


def test_texts_of_several_parts_are_told_apart() -> None:
    told = Told(topics=WORDS)
    other = {**delta("So."), "content_index": 1}
    assert told.take(delta("Hi."), other, DONE) == [delta("Hi."), other, DONE]


def test_a_text_that_differs_from_its_pieces_is_looked_at_again() -> None:
    told = Told(topics=WORDS)
    assert told.take(delta("Hello."), over("Hello, plutonium.")) == []
    assert told.answering.refused is not None
    assert told.answering.refused.guardrail == "topics"


def test_nothing_leaves_of_what_is_refused() -> None:
    told = Told(topics=WORDS)
    assert told.take(delta("All about pluto"), delta("nium and so on, which is a long text by now.")) == []
    assert told.answering.refused is not None


def test_placeholders_are_shown_however_they_are_cut() -> None:
    told = Told(pii={"mask": {}})
    hidden = json.loads(told.guarding.hide(json.dumps({"text": MAIL}).encode()))["text"]
    frames = told.take(*(delta(sign) for sign in f"To {hidden}."), over(f"To {hidden}."), DONE)
    assert "".join(one.get("delta", "") for one in frames) == f"To {MAIL}."
    assert frames[-2]["text"] == f"To {MAIL}."


def test_what_is_held_leaves_all_at_once() -> None:
    told = Told(topics={**WORDS, "on_stream": "hold"})
    assert told.take(delta("Hello."), over("Hello.")) == []
    assert told.answering.holds
    assert told.take(DONE) == [delta("Hello."), over("Hello."), DONE]
    assert not told.answering.holds


def test_its_beginning_is_not_held() -> None:
    told = Told(topics={**WORDS, "on_stream": "hold"})
    created = {"type": "response.created", "response": {"id": "r"}}
    added = {"type": "response.output_item.added", "response_id": "r", "item": {"id": "i", "content": []}}
    assert told.take(created, added) == [created, added]
    assert told.take(delta("Hello."), added) == [], "what follows a text does not overtake it"


def test_no_more_is_held_than_may_be() -> None:
    limits = msgspec.structs.replace(Config().server.limits, max_held_bytes=200)
    told = Told(limits=limits, topics={**WORDS, "on_stream": "hold"})
    assert told.take(delta("x" * 300)) == []
    assert "max_held_bytes" in str(told.answering.refused)
    told = Told(limits=limits, topics={**WORDS, "on_stream": "hold", "on_error": "open"})
    assert told.take(delta("x" * 300)) == [delta("x" * 300)]


def test_who_is_not_to_look_does_not() -> None:
    told = Told(topics={**WORDS, "on_stream": "skip"})
    assert told.take(delta("plutonium")) == [delta("plutonium")]
    assert told.guarding.told == "topics=not_scanned"
    assert told.take({"type": "response.output_audio.delta", **ABOUT, "delta": "AAAA"}) != []


def test_sound_waits_for_no_text_but_for_a_look_at_it() -> None:
    sound = {"type": "response.output_audio.delta", **ABOUT, "delta": "AAAA"}
    told = Told(topics={**WORDS, "on_error": "open"})
    assert told.take(delta("Good morn", "output_audio_transcript"), sound) == [sound]
    assert told.take(delta("ing, plutonium", "output_audio_transcript"), sound) == []
    assert told.answering.refused is not None


def test_parts_of_one_frame_are_held_apart() -> None:
    def parts(*parts: dict[str, Any]) -> dict[str, Any]:
        return {"serverContent": {"modelTurn": {"role": "model", "parts": list(parts)}}}

    told = Told(gemini=True, topics={**WORDS, "on_error": "open"})
    sound = {"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}
    assert told.take(parts({"text": "Hi "}, sound)) == [parts(sound)]
    end = {"serverContent": {"turnComplete": True}}
    assert told.take(parts({"text": "there"}, {"text": "!"}), end) == [parts({"text": "Hi there!"}), end]
