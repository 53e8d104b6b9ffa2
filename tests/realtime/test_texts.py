from __future__ import annotations

from typing import Any

import pytest

from dragoman.guardrails.verdict import Passage
from dragoman.realtime.texts import ANSWERED, said_in


def told(event: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.place, one.role, one.text) for one in said_in(event).passages]


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "event_id": "e", "item": {"id": "i", "type": kind, **fields}}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (item("message", role="user", content=[{"type": "input_text", "text": "Hi"}]), ("input", "user", "Hi")),
        (item("message", role="system", content=[{"type": "input_text", "text": "Hi"}]), ("input", "system", "Hi")),
        (item("function_call_output", call_id="c", output="Hi"), ("tool_results", "tool", "Hi")),
        (item("function_call", call_id="c", arguments='{"a":1}'), ("tool_arguments", "assistant", '{"a":1}')),
        (item("mcp_approval_response", approve=True, reason="Hi"), ("input", "user", "Hi")),
        ({"type": "session.update", "session": {"instructions": "Hi"}}, ("input", "system", "Hi")),
        ({"type": "session.update", "session": {"tools": [{"description": "Hi"}]}}, ("input", "tools", "Hi")),
        ({"type": "response.create", "response": {"instructions": "Hi"}}, ("input", "system", "Hi")),
        ({"type": "unheard.of", "field": {"deep": ["Hi"]}}, ("input", "user", "Hi")),
        ({"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}]}}, ("input", "user", "Hi")),
        ({"client_content": {"turns": [{"role": "model", "parts": {"text": "Hi"}}]}}, ("input", "assistant", "Hi")),
        ({"realtimeInput": {"text": "Hi"}}, ("input", "user", "Hi")),
        ({"setup": {"system_instruction": {"parts": [{"text": "Hi"}]}}}, ("input", "system", "Hi")),
    ],
)
def test_each_place_of_what_clients_say(event: dict[str, Any], said: tuple[str, str, str]) -> None:
    assert told(event) == [said]


def test_what_is_free_is_looked_at_whole() -> None:
    response = {"id": "call", "name": "f", "response": {"type": "one", "id": {"role": "two"}}}
    texts = {"f", "type", "one", "id", "role", "two"}
    found = said_in({"tool_response": {"function_responses": [response]}}).passages
    assert {one.text for one in found} == texts
    assert {one.place for one in found} == {"tool_results"}
    schema = {"type": "object", "properties": {"model": {"description": "poison"}}}
    tools = [{"type": "function", "name": "f", "parameters": schema}]
    assert "poison" in {text for _, _, text in told({"type": "session.update", "session": {"tools": tools}})}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.append", "audio": "UklGRg=="},
        item("message", role="user", content=[{"type": "input_audio", "audio": "UklGRg=="}]),
        item("message", role="user", content=[{"type": "input_image", "image_url": "data:image/png;base64,AA"}]),
        {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": "UklGRg=="}]}},
        {"realtime_input": {"video": {"mime_type": "image/jpeg", "data": "UklGRg=="}}},
    ],
)
def test_sound_and_pictures_are_no_texts(event: dict[str, Any]) -> None:
    said = said_in(event)
    assert said.has_media
    assert said.passages == []


def test_a_picture_elsewhere_is_a_text_as_well() -> None:
    url = "https://example.com/a.png"
    said = said_in(item("message", role="user", content=[{"type": "input_image", "image_url": url}]))
    assert said.has_media
    assert [one.text for one in said.passages] == [url]


def test_settings_say_nothing() -> None:
    audio = {"input": {"format": {"type": "audio/pcm"}}, "output": {"voice": "marin"}}
    session = {"type": "realtime", "model": "m", "output_modalities": ["audio"], "audio": audio, "temperature": 1}
    said = said_in({"type": "session.update", "session": session})
    assert (said.passages, said.has_media) == ([], False)


def test_an_answer_s_own_words_are_told_from_others() -> None:
    call = {"type": "mcp_call", "name": "f", "arguments": "{}", "output": "found"}
    output = [{"type": "message", "role": "assistant", "content": [{"text": "Hi"}]}, call]
    found = said_in({"type": "response.done", "response": {"metadata": {"a": "b"}, "output": output}}, ANSWERED)
    assert Passage("output", "Hi", "assistant") in found.passages
    assert [one.text for one in found.passages if not one.aside] == ["Hi"]
    assert [one.text for one in found.passages if one.place == "tool_results"] == ["found"]


def test_thoughts_are_not_the_answer() -> None:
    part = {"modelTurn": {"parts": [{"text": "Hm", "thought": True}]}}
    assert said_in({"serverContent": part}, ANSWERED).passages == [Passage("output", "Hm", "assistant", aside=True)]
