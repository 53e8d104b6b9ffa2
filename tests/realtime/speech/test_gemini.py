from __future__ import annotations

from typing import Any

import pytest

from dragoman.errors import GuardrailBlocked
from dragoman.realtime.speech.gemini import MOST_HEARD, SLOTS, TURN, GeminiSpeech

REFUSED = GuardrailBlocked("topics", "plutonium")


def content(**content: Any) -> dict[str, Any]:
    return {"serverContent": content}


def parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return content(modelTurn={"role": "model", "parts": list(parts)})


def test_pieces_of_texts() -> None:
    frame = parts({"inlineData": {}}, {"text": "Hm", "thought": True}, {"text": "Hi"})
    frame["serverContent"]["outputTranscription"] = {"text": "Ho"}
    spoken = GeminiSpeech().read(frame)
    told = [(piece.kind, piece.text, piece.path[-2]) for piece in spoken.pieces]
    assert told == [("thought", "Hm", 1), ("text", "Hi", 2), ("text", "Ho", "outputTranscription")]
    assert (spoken.answer, spoken.rest.passages, spoken.whole) == (TURN, [], ())


@pytest.mark.parametrize(
    ("frame", "whole", "settles", "ends"),
    [
        (content(generationComplete=True), SLOTS, False, False),
        (content(interrupted=True), SLOTS, False, False),
        (content(turnComplete=True), SLOTS, True, True),
        ({"toolCall": {"functionCalls": [{"name": "f", "args": {}}]}}, SLOTS, True, False),
        (content(modelTurn={}), (), False, False),
    ],
)
def test_when_texts_are_whole(frame: dict[str, Any], whole: Any, settles: bool, ends: bool) -> None:
    spoken = GeminiSpeech().read(frame)
    assert (spoken.whole, spoken.settles, spoken.ends) == (whole, settles, ends)


def test_sound_is_seen() -> None:
    assert GeminiSpeech().read(parts({"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}})).is_aloud
    assert not GeminiSpeech().read(parts({"text": "Hi"})).is_aloud


@pytest.mark.parametrize("frame", [{"setupComplete": {}}, {"goAway": {"timeLeft": "9s"}}, {"usageMetadata": {"x": 1}}])
def test_what_says_nothing_is_not_judged(frame: dict[str, Any]) -> None:
    assert not GeminiSpeech().read(frame).is_judged


def test_what_nobody_knows_is_judged() -> None:
    spoken = GeminiSpeech().read({"news": {"x": "Hi"}})
    assert spoken.is_judged
    assert [one.text for one in spoken.rest.passages] == ["Hi"]


def test_what_the_client_is_heard_to_say_is_told_once_it_is_over() -> None:
    speech = GeminiSpeech()

    def hears(**transcription: Any) -> str:
        return speech.read(content(inputTranscription=transcription)).heard

    assert (hears(text="Good "), hears(text="day.", finished=True)) == ("", "Good day.")
    assert hears(text="And?") == ""
    assert speech.read(parts({"text": "Hi"})).heard == "And?", "before what is said to it"
    assert len(hears(text="x" * (MOST_HEARD + 1))) == MOST_HEARD + 1


def test_parts_that_say_nothing_are_left_out() -> None:
    speech = GeminiSpeech()
    sound = {"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}
    frame = {**parts({"text": ""}, sound, {"text": "", "thoughtSignature": "s"}), "usageMetadata": {}}
    pieces = GeminiSpeech().read(parts({"text": "x"})).pieces
    less = speech.without(frame, pieces)
    assert less == {**parts(sound, {"text": "", "thoughtSignature": "s"}), "usageMetadata": {}}
    assert speech.without(parts({"text": ""}), pieces) is None
    assert speech.without({**content(outputTranscription={"text": ""}), "usageMetadata": {}}, pieces) == {
        "usageMetadata": {}
    }


def test_what_is_left_of_a_text_has_a_frame_of_its_own() -> None:
    speech = GeminiSpeech()
    frame = parts({"text": "x", "thought": True}, {"text": "x"})
    frame["serverContent"]["outputTranscription"] = {"text": "x"}
    told = [speech.left(frame, piece, "Hi") for piece in speech.read(frame).pieces]
    assert told == [
        parts({"text": "Hi", "thought": True}),
        parts({"text": "Hi"}),
        content(outputTranscription={"text": "Hi"}),
    ]


def test_a_turn_that_is_refused_is_interrupted_and_ended() -> None:
    speech = GeminiSpeech()
    assert speech.stop(TURN).to_client == [content(interrupted=True)]
    usage = {"totalTokenCount": 1}
    over = content(turnComplete=True, groundingMetadata={"x": "plutonium"})
    told = speech.ended({**over, "usageMetadata": usage}, REFUSED)
    assert told["usageMetadata"] == usage
    assert told["serverContent"] == {"turnComplete": True, "turnCompleteReason": "GENERATED_CONTENT_PROHIBITED"}
    assert "'topics'" in told["error"]["message"]
    assert speech.unheard({}, REFUSED)[0] == TURN


def test_a_tool_that_is_refused_is_answered() -> None:
    speech = GeminiSpeech()
    calls = [{"id": "a", "name": "f"}, {"id": "b", "name": "g"}]
    (told,) = speech.turned_away({"toolCall": {"functionCalls": calls}}).to_provider
    assert [one["id"] for one in told["toolResponse"]["functionResponses"]] == ["a", "b"]
    assert speech.turned_away(parts({"text": "Hi"})).to_provider == []


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("modalities", ["responseModalities", "response_modalities"])
def test_who_asks_for_answers_aloud(name: str, modalities: str) -> None:
    speech = GeminiSpeech()
    assert not speech.asks_aloud({"setup": {name: {modalities: ["TEXT"]}}})
    assert speech.asks_aloud({"setup": {name: {modalities: ["AUDIO"]}}})
    assert speech.asks_aloud({"setup": {}}), "as sessions do that say nothing else"
    assert not speech.asks_aloud({"clientContent": {}})


@pytest.mark.parametrize("said", [{"audio": {}}, {"video": {}}, {"mediaChunks": []}, {"media_chunks": []}])
def test_sound_as_it_happens(said: dict[str, Any]) -> None:
    assert GeminiSpeech().is_sound({"realtime_input": said})
    assert not GeminiSpeech().is_sound({"realtimeInput": {"text": "Hi"}})
