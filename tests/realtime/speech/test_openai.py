from __future__ import annotations

from typing import Any

import pytest

from dragoman.errors import GuardrailBlocked
from dragoman.realtime.speech.openai import CANCEL, OpenAISpeech

ABOUT = {"response_id": "r", "item_id": "i", "content_index": 0}
REFUSED = GuardrailBlocked("topics", "plutonium")


def created(response: str = "r") -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": response}}


def item(kind: str, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"type": kind, "item": {"id": "i", "type": "message", "role": role, "content": [{"text": "Hi"}]}, **more}


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("response.output_text", "text"),
        ("response.text", "text"),
        ("response.output_audio_transcript", "text"),
        ("response.audio_transcript", "text"),
        ("response.function_call_arguments", "call"),
        ("response.mcp_call_arguments", "call"),
        ("response.reasoning_text", "thought"),
        ("response.whatever_comes", "text"),
    ],
)
def test_pieces_of_texts(kind: str, what: str) -> None:
    speech = OpenAISpeech()
    spoken = speech.read({"type": f"{kind}.delta", **ABOUT, "delta": "Hi"})
    (piece,) = spoken.pieces
    assert (spoken.answer, piece.kind, piece.text, spoken.rest.passages) == ("r", what, "Hi", [])
    assert speech.read({"type": f"{kind}.done", **ABOUT}).whole == (piece.slot,)


@pytest.mark.parametrize("kind", ["response.output_audio.delta", "response.audio.delta"])
def test_sound_is_no_text(kind: str) -> None:
    spoken = OpenAISpeech().read({"type": kind, **ABOUT, "delta": "AAAA"})
    assert (spoken.is_aloud, spoken.pieces, spoken.rest.passages) == (True, [], [])


def test_what_tells_all_of_a_text_that_is_held_back_does_not_leave_with_some_of_it() -> None:
    event = {"type": "response.output_text.delta", **ABOUT, "delta": "Hi", "logprobs": [{"token": "Hi"}]}
    spoken = OpenAISpeech().read(event)
    assert spoken.rest.passages == []
    assert "logprobs" not in event


def test_sound_of_a_whole_item_is_sound() -> None:
    content = [{"type": "output_audio", "audio": "AAAA", "transcript": "Hi"}]
    spoken = OpenAISpeech().read(item("conversation.item.retrieved") | {"item": {"id": "i", "content": content}})
    assert spoken.is_aloud
    assert [one.text for one in spoken.rest.passages] == ["Hi"]


def test_whose_an_item_is() -> None:
    speech = OpenAISpeech()
    speech.read(created())
    assert speech.read(item("conversation.item.added")).answer == "", "the client may have put it there"
    speech.read(item("response.output_item.added", response_id="r"))
    assert speech.read(item("conversation.item.done")).answer == "r"
    over = speech.read({"type": "response.done", "response": {"id": "r"}})
    assert (over.settles, over.ends) == (True, True)
    assert speech.read(item("conversation.item.retrieved")).answer == ""


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.updated", "session": {"instructions": "Sing."}},
        {"type": "error", "error": {"message": "No."}},
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "conversation.item.input_audio_transcription.delta", "delta": "Hi"},
        item("conversation.item.done", "user"),
        item("conversation.item.created", "system"),
        {"type": "conversation.item.added", "item": {"type": "function_call_output", "output": "Hi"}},
    ],
)
def test_what_is_the_client_s_own_is_not_judged(event: dict[str, Any]) -> None:
    assert not OpenAISpeech().read(event).is_judged


def test_an_answer_that_is_refused_is_cancelled_and_ended() -> None:
    speech = OpenAISpeech()
    assert speech.stop("r").to_provider == [{"type": "response.cancel", "event_id": CANCEL, "response_id": "r"}]
    assert speech.is_ours({"type": "error", "error": {"event_id": CANCEL}})
    assert not speech.is_ours({"type": "error", "error": {"event_id": "theirs"}})
    usage = {"input_tokens": 1}
    event = {"type": "response.done", "response": {"id": "r", "status": "cancelled", "output": [1], "usage": usage}}
    response = speech.ended(event, REFUSED)["response"]
    assert (response["status"], response["output"], response["usage"]) == ("incomplete", [], usage)
    assert response["status_details"]["reason"] == "content_filter"
    assert "'topics'" in response["status_details"]["error"]["message"]


def test_items_that_the_client_knows_of_come_to_an_end() -> None:
    speech = OpenAISpeech()
    over = item("response.output_item.done", response_id="r")
    assert speech.turned_away(over).to_client == [], "it was not begun"
    speech.read(item("response.output_item.added", response_id="r"))
    (told,) = speech.turned_away(over).to_client
    kept = {"id": "i", "type": "message", "role": "assistant", "content": [], "status": "incomplete"}
    assert told["item"] == kept
    call = over | {"item": {"id": "i", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}}
    (told,) = speech.turned_away(call).to_client
    assert (told["item"]["call_id"], told["item"]["arguments"]) == ("c", "")
    assert speech.turned_away({"type": "response.output_text.delta"}).to_client == []


def test_what_was_said_aloud_is_taken_out_of_the_conversation() -> None:
    speech = OpenAISpeech()
    event = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "Hi"}
    assert speech.read(event).heard == "Hi"
    answer, stop = speech.unheard(event, REFUSED)
    assert (answer, [one["type"] for one in stop.to_provider]) == ("", ["conversation.item.delete"])
    speech.read(created())
    answer, stop = speech.unheard(event, REFUSED)
    assert (answer, stop.to_provider[0]["response_id"], stop.to_provider[1]["item_id"]) == ("r", "r", "i")
    assert "'topics'" in stop.to_client[0]["error"]["message"]


def create(**response: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": response}


def test_who_asks_for_an_answer_aloud() -> None:
    speech = OpenAISpeech()
    assert speech.asks_aloud({"type": "response.create"}), "unless something else is said"
    assert not speech.asks_aloud(create(output_modalities=["text"]))
    assert speech.asks_aloud({"type": "session.update", "session": {"modalities": ["text", "audio"]}})
    assert not speech.asks_aloud({"type": "session.update", "session": {"instructions": "Sing."}})
    assert not speech.asks_aloud({"type": "session.update", "session": {"output_modalities": ["text"]}})
    assert not speech.asks_aloud(create()), "the session is of text"
    assert speech.asks_aloud(create(output_modalities=["audio"]))
    speech.read({"type": "session.updated", "session": {"output_modalities": ["audio"]}})
    assert speech.asks_aloud(create()), "the provider knows better"
    assert not speech.asks_aloud({"type": "input_audio_buffer.append"})
    assert speech.is_sound({"type": "input_audio_buffer.append"})
