"""A gateway set up for official SDKs: the rehearsal gives good answers, a scripted provider everything else.

What the scripted provider does is in the name of the model: ``up/status-429@retried`` plays ``status-429``, and what
follows the ``@`` keeps the deployments of different tests apart. Paths without a model play what their path says.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.gateway.client import Response, get
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    Request,
    Step,
    Upstream,
    answer,
    chunk,
    event,
    expect,
    head,
    hold,
    pace,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    usage_event,
)

from dragoman.access.secret import create_secret

PATIENCE_S = 30.0
ALWAYS_HEADERS = (
    "x-request-id",
    "x-dragoman-provider",
    "x-dragoman-model",
    "x-dragoman-deployment",
    "x-dragoman-attempts",
    "x-dragoman-fallback-index",
    "x-dragoman-cost-estimate",
    "x-dragoman-overhead-ms",
    "x-dragoman-upstream-ms",
    "x-dragoman-snapshot",
)
PRICE = {"input_usd_mtok": 2, "output_usd_mtok": 8}
LONGEST_BODY = 1024 * 1024
FIRST_FIELD = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]+)')


class Stage:
    """A running gateway, its scripted provider and its keys. Use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = create_secret()
        self.narrow_key = create_secret()  # may use the model "demo" alone
        self._stack = contextlib.ExitStack()
        self.upstream: Upstream
        self.gateway: Gateway

    def __enter__(self) -> Stage:
        self.upstream = self._stack.enter_context(Upstream())
        self.upstream.reply(expect, play)
        self.gateway = self._stack.enter_context(Gateway(self._config(), self.directory))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def base_url(self) -> str:
        """What an SDK is given."""
        return self.gateway.base_url

    def _config(self) -> dict[str, Any]:
        up = {"kind": "openai", "base_url": self.upstream.base_url, "api_key": SECRET, "allow_private": True}
        return {
            "providers": {"up": up},
            "deployments": {
                name: {"provider": "up", "model": model, "price": PRICE}
                for name, model in (("priced", "answer@priced"), ("dear", "status-400@dear"))
            },
            "rehearsal": {"enabled": True, "time_to_first_token_s": 0.01, "tokens_per_s": 2000},
            "routes": {
                "demo": {"tiers": [["rehearsal/demo"]]},
                "chain": {"tiers": [["up/status-503@chain"], ["rehearsal/demo"]], "retries": 0},
            },
            "keys": [
                {"name": "sdk", "secret": self.key, "team": "clients", "allow_no_log": True},
                {"name": "narrow", "secret": self.narrow_key, "allow": ["demo"]},
            ],
            "server": {"limits": {"max_body_bytes": LONGEST_BODY}},
        }

    def seen(self, model: str) -> list[Request]:
        """What has reached the provider for a model, or on a path."""
        return [one for one in list(self.upstream.requests) if model in (model_of(one), one.path)]

    def row(self, request_id: str) -> dict[str, Any]:
        """What the gateway says of a request that is over, once it is."""
        until_s = time.monotonic() + PATIENCE_S
        while (found := self._ask(request_id)).status == 404 and time.monotonic() < until_s:
            time.sleep(0.02)
        assert found.status == 200, found
        row: dict[str, Any] = found.json
        return row

    def wait(self, ready: Callable[[], Any]) -> Any:
        """What ``ready`` gives, once it gives something."""
        until_s = time.monotonic() + PATIENCE_S
        while not (found := ready()) and time.monotonic() < until_s:
            time.sleep(0.02)
        return found

    def closed(self, request: Request) -> bool:
        """Whether the gateway has closed the connection on which the request came; waits for it."""
        self.wait(lambda: request.connection.closed_s)
        return request.connection.closed_by == "peer"

    def _ask(self, request_id: str) -> Response:
        return get(self.gateway.port, f"/v1/requests/{request_id}", authorization=f"Bearer {self.key}")


def running(directory: Path) -> Iterator[Stage]:
    """A stage, taken down afterwards."""
    with Stage(directory) as stage:
        yield stage


def model_of(request: Request) -> str:
    """The model that a request names, in JSON or in a form; empty where it names none."""
    if request.body.startswith(b"{"):
        return str(json.loads(request.body).get("model", ""))
    found = FIRST_FIELD.search(request.body)
    return found[1].decode() if found else ""


def play(connection: Connection) -> None:
    """Does what the model's name says, or else what the path does."""
    request = connection.request
    assert request is not None
    name = model_of(request).partition("@")[0]
    path = request.path.partition("?")[0]
    kind, _, number = name.partition("-")
    if kind == "status":
        steps: tuple[Step, ...] = (failing(int(number)),)
    else:
        steps = PLAYS.get(name) or PATHS.get(f"{request.method} {path}") or (failing(404),)
    for step in steps:
        step(connection)


ERRORS: dict[int, dict[str, Any]] = {
    400: {"message": "Bad.", "type": "invalid_request_error", "param": "messages[0]", "code": "invalid_value"},
    404: {"message": "None.", "type": "invalid_request_error", "param": None, "code": "model_not_found"},
    422: {"message": "No.", "type": "invalid_request_error", "param": "n", "code": "unprocessable"},
}


def error_of(status: int) -> dict[str, Any]:
    """The error that the provider gives with a status."""
    return ERRORS.get(status, {"message": f"Failed: {status}.", "type": "server_error", "param": None, "code": None})


def failing(status: int) -> Step:
    """An error of the provider's. A 429 says when to come again."""
    headers = {"x_ratelimit_remaining_requests": "9"} | ({"retry_after_ms": "40"} if status == 429 else {})
    return answer(json.dumps({"error": error_of(status)}).encode(), status, **headers)


def streamed(*parts: bytes) -> Step:
    """A stream of these events and nothing else, ended well."""
    return send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK)


def dripping() -> Iterator[bytes]:
    """Events without an end."""
    yield stream_head() + chunk(role_event())
    for number in range(10_000):
        yield chunk(event(f"{number} "))


def drip(connection: Connection) -> None:
    """Sends events until the peer goes."""
    for part in dripping():
        connection.watch(0.02)
        connection.send(part)


def echo_form(connection: Connection) -> None:
    """Says of a form what came: its type, size and body's hash."""
    request = connection.request
    assert request is not None
    said = {"text": request.headers["content-type"].partition(";")[0], "size": len(request.body)}
    answer(json.dumps(said).encode())(connection)


QUOTA = {"error": {"message": "No money.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}}
EARLY = b'data: {"error":{"message":"Too long.","type":"invalid_request_error","code":"context_length_exceeded"}}\n\n'
LATE = b'data: {"error":{"message":"Fell over.","type":"server_error","code":null}}\n\n'
AUDIO = bytes(range(256)) * 64

GOOD = (role_event(), event("Hel"), event("lo."), event(finish_reason="stop"), DONE)
COMMENTS = (b": one\n\n", role_event(), b": two\n\n", *GOOD[1:3], b": three\n\n", *GOOD[3:])
CHATTER = b": " + b"x" * 1022 + b"\n\n"
WHOLE = b"".join(GOOD)

PLAYS: dict[str, tuple[Step, ...]] = {
    "commented": (streamed(*COMMENTS),),
    "mislabelled": (answer(WHOLE, content_type="application/json"),),
    "unlabelled": (send(head(200, content_length=str(len(WHOLE))) + WHOLE),),
    "in-one-piece": (streamed(b"".join(GOOD[:3]) + LATE),),
    "chatty": (send(stream_head()), pace([chunk(CHATTER * 128)], 0), hold),
    "not-a-stream": (answer(),),
    "answer": (answer(x_ratelimit_remaining_tokens="99", openai_processing_ms="5", set_cookie="a=b"),),
    "stream": (stream(),),
    "no-usage": (streamed(role_event(), event("Hello."), event(finish_reason="stop"), DONE),),
    "usage": (streamed(role_event(), event("Hello."), event(finish_reason="stop"), usage_event(9, 3), DONE),),
    "stall": (hold,),
    "quota": (answer(json.dumps(QUOTA).encode(), 429),),
    "early-error": (streamed(role_event(), EARLY),),
    "late-error": (streamed(role_event(), event("Hel"), LATE),),
    "silent": (send(stream_head() + chunk(role_event()) + chunk(event("Hel"))), hold),
    "reset": (send(stream_head() + chunk(role_event()) + chunk(event("Hel"))), pace([b""], 0.1), reset),
    "drip": (drip,),
    "html": (answer(b"<html>busy</html>", 503, content_type="text/html"),),
    "images": (answer(json.dumps({"created": 1, "data": [{"b64_json": "aGk="}]}).encode()),),
    "speech": (answer(AUDIO, content_type="audio/mpeg"),),
    "transcribe": (echo_form,),
    "moderate": (answer(json.dumps({"id": "modr-1", "model": "m", "results": []}).encode()),),
}

FILE = {"id": "file-1", "object": "file", "bytes": 4, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {"id": "batch_1", "object": "batch", "completion_window": "24h", "created_at": 1, "status": "validating"}

PATHS: dict[str, tuple[Step, ...]] = {
    "POST /v1/files": (answer(json.dumps(FILE).encode()),),
    "GET /v1/files": (answer(json.dumps({"object": "list", "data": [FILE], "has_more": False}).encode()),),
    "GET /v1/files/file-1": (answer(json.dumps(FILE).encode()),),
    "GET /v1/files/file-1/content": (answer(b'{"custom_id": "1"}\n', content_type="application/octet-stream"),),
    "DELETE /v1/files/file-1": (answer(json.dumps({"id": "file-1", "object": "file", "deleted": True}).encode()),),
    "GET /v1/chat/completions": (answer(json.dumps({"object": "list", "data": [], "has_more": False}).encode()),),
    "POST /v1/batches": (answer(json.dumps(BATCH).encode()),),
}


def responses_events(text: str) -> list[bytes]:
    """A stream of the responses API."""
    usage = {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }
    response = {"id": "resp_1", "object": "response", "created_at": 1, "output": [], "status": "completed"}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": response | {"status": "in_progress"}},
        *({"type": "response.output_text.delta", "delta": part, "item_id": "msg_1"} for part in text.split("|")),
        {"type": "response.completed", "response": response | {"usage": usage}},
    ]
    numbered = ({**one, "sequence_number": number} for number, one in enumerate(said))
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in numbered]


def respond(connection: Connection) -> None:
    """The responses API: whole or streamed."""
    request = connection.request
    assert request is not None
    events = responses_events("Hel|lo|.")
    if request.json.get("stream"):
        streamed(*events)(connection)
        return
    whole = json.loads(events[-1].partition(b"data: ")[2])["response"]
    answer(json.dumps(whole).encode())(connection)


PLAYS["respond"] = (respond,)
