"""Claude through Bedrock's InvokeModel: Anthropic's own bodies, less the model, in AWS's envelope."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from dragoman.core import event_stream_message
from dragoman.dialects import anthropic
from dragoman.dialects.anthropic.envelope import Envelope
from dragoman.dialects.bedrock.errors import KINDS, report_of
from dragoman.dialects.bedrock.write_request import path_of
from dragoman.dialects.canonical import Event, Failed, Report, Request
from dragoman.dialects.dialect import Asked, Frame, Outgoing, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses

NAME = "bedrock_invoke"
BEDROCK = Envelope(
    "Bedrock", "bedrock-2023-05-31", ("tags", "container", "inference_geo", "speed", "service_tier", "metadata")
)
_decode, _encode = msgspec.json.decode, msgspec.json.encode


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Bedrock gets it."""
    body, betas, undo = BEDROCK.wrapped(request, target, losses)
    if betas:
        body.setdefault("anthropic_beta", betas)
    action = "invoke-with-response-stream" if request.stream else "invoke"
    return Outgoing(path=path_of(target.model, action), body=_encode(body), undo=undo)


class EventReader:
    """One stream: each message holds one of Anthropic's events."""

    def __init__(self, target: Target) -> None:
        self.inner = anthropic.DIALECT.reader(target)

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some messages."""
        events: list[Event] = []
        for name, data in frames:
            if ":" in name:
                events.append(Failed(report=_report(name, data)))
                break
            if name == "chunk":
                events += self.inner.read([("", _unwrapped(data))])
        return events

    def finish(self) -> list[Event]:
        """As Anthropic's streams end."""
        return self.inner.finish()


def _report(name: str, data: bytes) -> Report:
    try:
        told: Any = _decode(data) if data else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = {}
    return report_of(name.partition(":")[2], told)


def _unwrapped(data: bytes) -> bytes:
    try:
        payload: Any = _decode(data)
        return base64.b64decode(payload["bytes"], validate=True)
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError, TypeError, binascii.Error, ValueError):
        raise Unreadable("A chunk holds no event.", "bytes") from None


class EventWriter:
    """One stream, for a client of InvokeModelWithResponseStream."""

    def __init__(self, asked: Asked) -> None:
        self.inner = anthropic.DIALECT.writer(asked)

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events."""
        return self._wrapped(self.inner.write(events))

    def finish(self) -> bytes:
        """As Anthropic's streams end."""
        return self._wrapped(self.inner.finish())

    def fail(self, report: Report) -> bytes:
        """An exception, which the SDKs raise."""
        kind = KINDS[report.trouble][1]
        name = kind[0].lower() + kind[1:]
        return event_stream_message(name, _encode({"message": report.message}), exception=True)

    def ping(self) -> bytes:
        """Nothing: the framing has no sign of life."""
        return b""

    def _wrapped(self, written: bytes) -> bytes:
        messages = []
        for event in written.split(b"\n\n"):
            _, marked, data = event.partition(b"\ndata: ")
            if marked:
                payload = _encode({"bytes": base64.b64encode(data).decode()})
                messages.append(event_stream_message("chunk", payload))
        return b"".join(messages)
