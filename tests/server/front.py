"""What tests of the wire share: a provider that says back what it was asked, and requests that know their answers.

No two answers are alike: a chat's text names its question, how long it was and its checksum, and a path that is not
there is named in the error. So an answer that was cut, doubled or given to another request does not pass.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.client import Client, Response, chat_body, request_bytes
from tests.gateway.desk import BEARER, KEYS, TIMEOUTS
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import LAST_CHUNK, Connection, Upstream, answer, chat_answer, chunk, stream

CHAT = "/v1/chat/completions"
MAX_BODY = 2 * 1024 * 1024
MAX_HEADERS = 50
MAX_HEADER_BYTES = 16 * 1024
LIMITS = {"max_body_bytes": MAX_BODY, "max_headers": MAX_HEADERS, "max_header_bytes": MAX_HEADER_BYTES}
# What is waited for comes soon, so that tests of what does not come need not be long.
HASTE = {"header_timeout_s": 1.0, "body_timeout_s": 1.5}

_numbers = itertools.count(1)


def running(directory: Path, **limits: Any) -> Iterator[tuple[Gateway, Upstream]]:
    """A gateway before one provider, with those limits beside the usual ones."""
    with Upstream() as upstream:
        config = config_for(
            upstream.base_url,
            keys=KEYS,
            server={"limits": LIMITS | limits},
            provider={"timeouts": TIMEOUTS},
            route={"retries": 0},
        )
        with Gateway(config, directory) as gateway:
            yield gateway, upstream


def speak(connection: Connection) -> None:
    """The provider's answer, whole or streamed."""
    assert connection.request is not None
    asked = connection.request.json
    text = told(asked["messages"][0]["content"])
    step = stream([text[:7], text[7:]]) if asked.get("stream") else answer(chat_answer(text))
    step(connection)


def told(content: str) -> str:
    """What the provider says to a question."""
    return f"{content[:32]}, {len(content)} characters, {zlib.crc32(content.encode()):08x}"


@dataclass(frozen=True)
class Asking:
    """A request, and what its answer must be."""

    data: bytes
    statuses: tuple[int, ...]
    said: str = ""  # the whole text of a chat, or a part of another body
    has_body: bool = True

    def check(self, client: Client) -> Response:
        """Read its answer, whole."""
        response = client.read_head()
        while response.status == 100:
            response = client.read_head()
        if self.has_body:
            response.body = b"".join(client.parts(response))
            assert response.complete, response
        assert response.status in self.statuses, (self.data[:200], response)
        if self.statuses == (200,) and self.said:
            assert response.text == self.said
        else:
            assert self.said in response.body.decode()
        return response


def question(size: int = 0) -> str:
    """Words that have not been said before, so many characters of them or more."""
    return f"Question {next(_numbers)}? ".ljust(size, "x")


def posted(body: bytes, **headers: str) -> bytes:
    """A chat request of this body, with its length and a key."""
    return request_bytes("POST", CHAT, body, **(BEARER | headers))


def plain(size: int = 0, **headers: str) -> Asking:
    """A chat, answered whole."""
    content = question(size)
    return Asking(posted(body_of(content), **headers), (200,), told(content))


def streamed(size: int = 0, **headers: str) -> Asking:
    """A chat, answered as a stream."""
    content = question(size)
    return Asking(posted(body_of(content, stream=True), **headers), (200,), told(content))


def chunked(size: int = 0, *, pieces: int = 3, stream: bool = False, **headers: str) -> Asking:
    """A chat whose length is not said before."""
    content = question(size)
    body = body_of(content, stream=stream)
    step = len(body) // pieces + 1
    framed = b"".join(chunk(body[start : start + step]) for start in range(0, len(body), step)) + LAST_CHUNK
    return Asking(unframed(transfer_encoding="chunked", **headers) + framed, (200,), told(content))


def expecting(size: int = 0) -> Asking:
    """A chat whose client would wait to be told to go on, and does not."""
    return plain(size, expect="100-continue")


def listing() -> Asking:
    """The models."""
    return Asking(request_bytes("GET", "/v1/models", **BEARER), (200,))


def health() -> Asking:
    """A request that needs no key."""
    return Asking(request_bytes("GET", "/healthz"), (200,))


def nowhere(body: bytes = b"", **headers: str) -> Asking:
    """A path that is not there."""
    path = f"/nowhere-{next(_numbers)}"
    return Asking(request_bytes("POST" if body else "GET", path, body, **headers), (404,), path)


def stranger() -> Asking:
    """A chat without a key."""
    return Asking(request_bytes("POST", CHAT, body_of(question())), (401,), "invalid_api_key")


def bodiless() -> Asking:
    """A HEAD: whatever is said of a body, none comes."""
    return Asking(request_bytes("HEAD", "/healthz"), (200, 405), has_body=False)


def mixture(chance: random.Random, count: int) -> list[Asking]:
    """So many requests of any kind."""
    kinds = [plain, plain, streamed, chunked, expecting, listing, health, nowhere, stranger, bodiless]
    sized = [plain, streamed, chunked, expecting]
    found = []
    for kind in chance.choices(kinds, k=count):
        size = chance.choice([0, 0, 10, 3_000, 20_000, 70_000])
        found.append(kind(size) if kind in sized else kind())  # type: ignore[operator]
    return found


def body_of(content: str, **fields: Any) -> bytes:
    """The body of a chat request."""
    return chat_body(messages=[{"role": "user", "content": content}], **fields)


def unframed(method: str = "POST", path: str = CHAT, **headers: str) -> bytes:
    """The head of a request, with a key, that says nothing of a length unless told to."""
    named = {"host": "gateway.test", "content-type": "application/json"} | BEARER
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def check_all(client: Client, askings: Iterable[Asking]) -> list[Response]:
    """The answers to these requests, in this order, each its own."""
    answers = [asking.check(client) for asking in askings]
    ids = [response.headers["x-request-id"] for response in answers]
    assert len(set(ids)) == len(ids)
    return answers


def check_over(client: Client) -> None:
    """The client says that it will ask no more; nothing more was said to it."""
    with contextlib.suppress(OSError):
        client.socket.shutdown(socket.SHUT_WR)
    assert everything(client) == []


def everything(client: Client) -> list[Response]:
    """All that is answered until the server ends the connection, which it must."""
    found: list[Response] = []
    while True:
        try:
            found.append(client.read())
        except ConnectionError as error:
            assert str(error).endswith("b''"), error
            return found
