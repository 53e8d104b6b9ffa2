"""Streams of Claude on Vertex AI, which are Anthropic's."""

from __future__ import annotations

from tests.dialects.across import sse, stream

START = {
    "type": "message_start",
    "message": {
        "id": "msg_vrtx_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    },
}
EVENTS = (
    START,
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
)


def test_a_stream_is_anthropic_s() -> None:
    written = stream("vertex_claude", sse(*EVENTS), "openai_chat")
    said = [
        event["choices"][0]["delta"].get("content") for _, event in written if event != "[DONE]" and event["choices"]
    ]
    assert "".join(text for text in said if text) == "Hello."
    own = stream("vertex_claude", sse(*EVENTS), "vertex_claude")
    assert [name for name, _ in own] == [event["type"] for event in EVENTS if event["type"] != "ping"]
