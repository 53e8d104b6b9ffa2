"""A provider of Anthropic's dialect behind the gateway: its answers, and a configuration that reaches it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.gateway.gateway import config_for
from tests.gateway.upstream import LAST_CHUNK, Step, answer, chunk, send, stream_head

USAGE = {"input_tokens": 9, "output_tokens": 3}


def config(*base_urls: str, kind: str = "anthropic", **fields: Any) -> dict[str, Any]:
    """A configuration whose route ``chat`` tries these one after the other."""
    made = config_for(*base_urls, provider={"kind": kind}, **fields)
    for deployment in made["deployments"].values():
        deployment["model"] = "claude-sonnet-4-5"
    return made


def message(text: str = "Hello.", **fields: Any) -> bytes:
    """A whole answer."""
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
    content = [{"type": "text", "text": text}]
    return json.dumps(about | {"content": content, "stop_reason": "end_turn", "usage": USAGE} | fields).encode()


def event(kind: str, **fields: Any) -> bytes:
    """One event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def events(texts: Iterable[str] = ("Hel", "lo.")) -> list[bytes]:
    """The events of a whole stream."""
    start = json.loads(message()) | {"content": [], "stop_reason": None}
    deltas = [event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in texts]
    return [
        event("message_start", message=start),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *deltas,
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
        event("message_stop"),
    ]


def stream(parts: Iterable[bytes] | None = None) -> Step:
    """A stream of these events, or a whole one."""
    said = b"".join(chunk(part) for part in (events() if parts is None else parts))
    return send(stream_head() + said + LAST_CHUNK)


def error(kind: str, text: str, status: int) -> Step:
    """An error's answer."""
    return answer(json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode(), status)


def messages_body(**fields: Any) -> bytes:
    """The body of a request of a client that speaks the dialect."""
    usual = {"model": "chat", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello there."}]}
    return json.dumps(usual | fields).encode()
