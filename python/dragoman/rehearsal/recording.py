"""Answers that real providers once gave, played again.

A recording is a file of JSON lines, gzipped or not, one exchange a line::

    {"id": "...", "request": {...},
     "response": {"status": 200, "headers": {...}, "content_type": "...", "body": "...", "body_encoding": "utf8"}}

``body_encoding`` is ``utf8``, ``json`` (text either way) or ``base64``. Only the operator names the file; a request
names an id in it. Of the recorded headers those are left out that belong to the connection then, not to the answer.
"""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.errors import ConfigError, NotFound
from dragoman.rehearsal.plan import EVENT_STREAM, JSON, Headers, Pace, Plan, Step

_OF_THE_CONNECTION = frozenset(
    (
        "connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "content-type",
        "date", "server", "set-cookie", "alt-svc", "trailer", "te", "upgrade", "proxy-authenticate",
        "strict-transport-security",
    )
)  # fmt: skip


class Response(Struct, frozen=True):
    """The recorded answer."""

    status: int
    headers: dict[str, Any] = {}
    content_type: str | None = None
    body: str = ""
    body_encoding: str = "utf8"

    def octets(self) -> bytes:
        """The body as it was received."""
        return b64decode(self.body) if self.body_encoding == "base64" else self.body.encode("utf-8", "surrogatepass")


class Row(Struct, frozen=True):
    """One exchange."""

    id: str
    response: Response


class _Label(Struct, frozen=True):
    id: str


class Recordings:
    """The rows of a file by id. Rows stay undecoded until they are played: a file of them is large."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = {msgspec.json.decode(line, type=_Label).id: line for line in lines if line.strip()}

    @classmethod
    def load(cls, path: Path) -> Recordings:
        """Reads a file. Raises ``ConfigError`` when it cannot be read as one."""
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                return cls(iter(file))
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise ConfigError([f"rehearsal.recordings: {path} is no recording: {error}"]) from None

    def __len__(self) -> int:
        return len(self._lines)

    def plan(self, id: str, pace: Pace) -> Plan:
        """The answer of that id. A stream comes event by event at the pace given; else all at once."""
        line = self._lines.get(id)
        if line is None:
            raise NotFound(f"There is no recording {id!r}.", param="rehearsal")
        response = msgspec.json.decode(line, type=Row).response
        body = response.octets()
        kind = response.content_type or _kind(body)
        streams = kind.startswith(EVENT_STREAM.partition(";")[0])
        headers = [*kept(response.headers), ("content-type", kind)]
        steps = pace.gaps(events(body)) if streams else [Step(0.0, body)]
        return Plan(status=response.status, headers=headers, steps=steps, delay_s=pace.first(), streams=streams)


def kept(headers: dict[str, Any]) -> Headers:
    """The headers worth playing again: not the connection's, and none that could not be sent."""
    pairs = [(name.lower(), value) for name, value in headers.items() if isinstance(value, str)]
    return [pair for pair in pairs if pair[0] not in _OF_THE_CONNECTION and pair[1].isprintable() and pair[1].isascii()]


def events(body: bytes) -> list[bytes]:
    """The body cut after each empty line; nothing is lost or added."""
    parts: list[bytes] = []
    start = 0
    while start < len(body):
        ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (at := body.find(mark, start)) >= 0]
        end = min(ends, default=len(body))
        parts.append(body[start:end])
        start = end
    return parts


def _kind(body: bytes) -> str:
    return EVENT_STREAM if body.lstrip().startswith((b"data:", b"event:", b":")) else JSON
