"""A provider of sessions: OpenAI's Realtime or Gemini Live, on a real WebSocket. What it says may be scripted."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

USAGE = {
    "total_tokens": 180,
    "input_tokens": 120,
    "output_tokens": 60,
    "input_token_details": {
        "text_tokens": 40,
        "audio_tokens": 80,
        "cached_tokens": 52,
        "cached_tokens_details": {"text_tokens": 32, "audio_tokens": 20},
    },
    "output_token_details": {"text_tokens": 12, "audio_tokens": 48},
}
LIVE_USAGE = {
    "promptTokenCount": 30,
    "responseTokenCount": 7,
    "totalTokenCount": 37,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 25}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 7}],
}


class Sessions:
    """The provider. What it was sent is in ``frames``, what its sessions were opened with in ``opened``."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.frames: list[Any] = []
        self.opened: list[tuple[str, dict[str, str]]] = []
        self.closed: list[int | None] = []
        self.status = 0  # answered instead of a handshake
        self.location = ""  # where that sends to
        self.script: Callable[[str], list[Any]] | None = None  # what it answers to what it was told last
        self.heard = "Hi"  # what it understands of sound
        self._scheme = "http" if tls is None else "https"
        self._server: Server = serve(
            self._serve, "127.0.0.1", 0, process_request=self._handshake, max_size=None, ssl=tls
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        """Of its HTTP API."""
        return f"{self._scheme}://127.0.0.1:{self._server.socket.getsockname()[1]}/v1"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join(10)

    def _handshake(self, connection: ServerConnection, request: Any) -> Any:
        self.opened.append((request.path, {name.lower(): value for name, value in request.headers.raw_items()}))
        if not self.status:
            return None
        response = connection.respond(self.status, "no\n")
        if self.location:
            response.headers["Location"] = self.location
        return response

    def _serve(self, connection: ServerConnection) -> None:
        live = "BidiGenerateContent" in self.opened[-1][0]
        with contextlib.suppress(ConnectionClosed):
            (self._live if live else self._realtime)(connection)
        self.closed.append(connection.protocol.close_code)

    def _realtime(self, connection: ServerConnection) -> None:
        session = {"type": "realtime", "object": "realtime.session", "id": "s1", "model": "gpt-realtime"}
        connection.send(json.dumps({"type": "session.created", "event_id": "e1", "session": session}))
        said, goes_on = "", False
        for frame in connection:
            event = json.loads(frame)
            self.frames.append(event)
            if event["type"] == "conversation.item.create":
                said = told_in(event["item"])
            elif event["type"] == "response.create" and self.script is not None:
                for one in self.script(said):
                    goes_on = one["type"] != "response.done"
                    connection.send(json.dumps(one))
            elif event["type"] == "response.create":
                self._respond(connection)
            elif event["type"] == "response.cancel" and goes_on:
                self._cancel(connection)
                goes_on = False
            elif event["type"] == "response.cancel":
                told = {"code": "response_cancel_not_active", "message": "None.", "event_id": event.get("event_id")}
                connection.send(json.dumps({"type": "error", "event_id": "e9", "error": told}))
            elif event["type"] == "input_audio_buffer.commit":
                heard = {"type": "conversation.item.input_audio_transcription.completed", "transcript": self.heard}
                usage = {"type": "tokens", "input_tokens": 11, "output_tokens": 2, "total_tokens": 13}
                connection.send(
                    json.dumps(heard | {"event_id": "e4", "item_id": "i", "content_index": 0, "usage": usage})
                )
            elif event["type"] == "session.update" and "session" in event:
                if event["session"].get("max_output_tokens") == 13:
                    told = {"type": "invalid_request_error", "message": "Not 13.", "event_id": event.get("event_id")}
                    connection.send(json.dumps({"type": "error", "event_id": "e5", "error": told}))
                    continue
                updated = {"type": "session.updated", "event_id": "e6", "session": event["session"]}
                connection.send(json.dumps(updated))
            elif event["type"] == "session.update":
                connection.close(4001, "enough")

    def _respond(self, connection: ServerConnection) -> None:
        about = {"response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0}
        for text in ("Hel", "lo."):
            told = {"type": "response.output_text.delta", "event_id": "e2", "delta": text}
            connection.send(json.dumps(about | told))
        response = {"id": "r1", "object": "realtime.response", "status": "completed", "output": [], "usage": USAGE}
        connection.send(json.dumps({"type": "response.done", "event_id": "e3", "response": response}))

    def _cancel(self, connection: ServerConnection) -> None:
        item = {"id": "i1", "type": "message", "role": "assistant", "status": "incomplete", "content": []}
        about = {"response_id": "r1", "output_index": 0}
        connection.send(json.dumps({"type": "response.output_item.done", "event_id": "e7", "item": item} | about))
        response = {"id": "r1", "object": "realtime.response", "status": "cancelled", "output": [item], "usage": USAGE}
        connection.send(json.dumps({"type": "response.done", "event_id": "e8", "response": response}))

    def _live(self, connection: ServerConnection) -> None:
        self.frames.append(json.loads(connection.recv()))
        connection.send(b'{"setupComplete":{}}')
        for frame in connection:
            self.frames.append(json.loads(frame))
            if self.script is not None:
                for one in self.script(told_in(self.frames[-1])):
                    connection.send(json.dumps(one).encode())
                continue
            part = {"modelTurn": {"role": "model", "parts": [{"text": "Hello."}]}}
            connection.send(json.dumps({"serverContent": part}).encode())
            connection.send(json.dumps({"usageMetadata": LIVE_USAGE, "serverContent": {"turnComplete": True}}).encode())


def told_in(value: Any) -> str:
    """The last text in a frame."""
    if isinstance(value, dict):
        own = value.get("text", value.get("output"))
        return own if isinstance(own, str) else "".join(map(told_in, value.values()))
    return "".join(map(told_in, value)) if isinstance(value, list) else ""
