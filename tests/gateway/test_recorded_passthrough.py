"""Recorded calls of OpenAI's other paths (responses, assistants, files, images), passed through a real gateway.

Nothing of them is to change on the way but the model's name: neither the request nor the answer, stream or not. The
usage that they report is metered all the same.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.recordings import read_traffic
from tests.gateway.upstream import LAST_CHUNK, Connection, Request, Upstream, chunk, expect, head

pytestmark = pytest.mark.recorded

PROVIDERS = ("openai", "azure_openai", "xai", "deepseek", "openrouter", "bedrock_openai", "other:localhost")
OTHERS = {"chat", "completions", "embeddings"}  # test_recorded.py
# What is not a path of OpenAI's API, or one that the gateway answers itself.
LEFT_OUT = {"/anthropic/": "another dialect", "/v1/models": "answered by the gateway"}
CLIENTS = 6


class Passed:
    """One recorded call."""

    def __init__(self, row: dict[str, Any]) -> None:
        request, response = row["request"], row["response"]
        self.id: str = row["id"]
        self.provider: str = row["provider"].replace(":", "-")
        self.api: str = row["api"]
        self.method: str = request["method"]
        self.path: str = re.sub(r"^https?://[^/]+(?:/api|/openai)?(?:/v1)?", "/v1", request["url"].partition("#")[0])
        self.body = _bytes(request["body"], request["body_encoding"])
        self.headers = {name: request["headers"].get(name) for name in ("content-type", "openai-beta")}
        self.status: int = response["status"]
        self.answer = _bytes(response["body"], response["body_encoding"])
        usual = "text/event-stream" if self.answer.startswith((b"event:", b"data:")) else "application/json"
        self.content_type: str = response["content_type"] or usual

    @property
    def model(self) -> str:
        """The model that a JSON body names."""
        is_json = self.body.startswith(b"{")
        return str(json.loads(self.body).get("model") or "") if is_json else ""

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream."""
        return self.content_type.startswith("text/event-stream")

    @property
    def client_headers(self) -> dict[str, str]:
        """What the client sends; where no model says which provider is meant, a header does."""
        headers = {name.replace("-", "_"): value for name, value in self.headers.items() if value}
        headers |= {"traceparent": f"00-{self.id}{1:016x}-00f067aa0ba902b7-01"}
        return headers if self.model else headers | {"x_dragoman_deployment": self.provider}

    @property
    def client_body(self) -> bytes:
        """The body with the alias in place of the model."""
        named = f'"{self.model}"'.encode()
        alias = json.dumps(f"{self.provider}/{self.model}").encode()
        for found in re.finditer(rb'"model":\s*(' + re.escape(named) + rb")", self.body) if self.model else ():
            body = self.body[: found.start(1)] + alias + self.body[found.end(1) :]
            if json.loads(body)["model"] == json.loads(alias):
                return body
        return self.body

    @property
    def usage(self) -> dict[str, int] | None:
        """The tokens that the answer reports, by the columns of the usage table."""
        lines = re.findall(rb"^data:\s*(\{.*\})\s*$", self.answer, re.MULTILINE) if self.streamed else [self.answer]
        for data in reversed(lines):
            told = json.loads(data) if data.startswith(b"{") else {}
            usage = (told.get("response") or told).get("usage")
            if usage:
                return _columns(usage)
        return None


def _bytes(text: str, encoding: str) -> bytes:
    return base64.b64decode(text) if encoding == "base64" else text.encode()


def _columns(usage: dict[str, Any]) -> dict[str, int]:
    inputs, outputs = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return {
        "input_tokens": usage.get("input_tokens", usage.get("prompt_tokens", 0)),
        "output_tokens": usage.get("output_tokens", usage.get("completion_tokens", 0)),
        "cached_input_tokens": inputs.get("cached_tokens") or 0,
        "reasoning_tokens": outputs.get("reasoning_tokens") or 0,
    }


def play(calls: dict[str, Passed], received: dict[str, Request]) -> Any:
    """The step of a provider that answers with the recording which the request's trace names."""

    def step(connection: Connection) -> None:
        request = connection.request
        assert request is not None
        call = calls[request.headers["traceparent"].split("-")[1][:16]]
        received[call.id] = request
        if call.status == 204:
            connection.send(head(204))
        elif call.streamed:
            connection.send(head(call.status, content_type=call.content_type, transfer_encoding="chunked"))
            middle = len(call.answer) // 2
            connection.send(chunk(call.answer[:middle]) + chunk(call.answer[middle:]) + LAST_CHUNK)
        else:
            length = str(len(call.answer))
            connection.send(head(call.status, content_type=call.content_type, content_length=length) + call.answer)

    return step


Outcome = tuple[Passed, Request, Response, dict[str, Any]]


@pytest.fixture(scope="module")
def outcomes(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    rows = [row for row in read_traffic(recorded) if row["provider"] in PROVIDERS and row["api"] not in OTHERS]
    calls = {row["id"]: Passed(row) for row in rows if not any(mark in row["request"]["url"] for mark in LEFT_OUT)}
    received: dict[str, Request] = {}
    with Upstream() as upstream:
        upstream.reply(expect, play(calls, received))
        provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": SECRET, "allow_private": True}
        providers = {name.replace(":", "-"): provider for name in PROVIDERS}
        with Gateway({"providers": providers}, tmp_path_factory.mktemp("passed")) as gateway:
            responses = send_all(gateway.port, list(calls.values()))
            found = {row["trace_id"][:16]: row for row in gateway.settled(len(calls))}
    yield [(call, received[key], responses[key], found[key]) for key, call in calls.items()]


def send_all(port: int, calls: list[Passed]) -> dict[str, Response]:
    """Every call, on a few connections at once."""
    local = threading.local()
    with contextlib.ExitStack() as connections, ThreadPoolExecutor(CLIENTS) as pool:

        def send(call: Passed) -> tuple[str, Response]:
            if not hasattr(local, "client"):
                local.client = connections.enter_context(Client(port))
            local.client.ask(call.method, call.path, call.client_body, **call.client_headers)
            return call.id, local.client.read()

        return dict(pool.map(send, calls))


def test_every_request_reaches_the_provider_as_it_is(outcomes: list[Outcome]) -> None:
    wrong = [
        call.id
        for call, sent, _, _ in outcomes
        if (sent.method, sent.path, sent.body) != (call.method, call.path, call.body)
        or sent.headers["authorization"] != f"Bearer {SECRET}"
        or sent.headers.get("openai-beta") != call.headers["openai-beta"]
    ]
    assert wrong == []


def test_every_answer_reaches_the_client_as_it_is(outcomes: list[Outcome], say: Callable[[str], None]) -> None:
    wrong = {
        call.id: (response.status, response.body[:300])
        for call, _, response, _ in outcomes
        if (response.status, response.body, response.headers["content-type"])
        != (call.status, call.answer, call.content_type)
    }
    counts = Counter(call.api.partition(":")[0] for call, _, _, _ in outcomes)
    said = ", ".join(f"{api} {count}" for api, count in sorted(counts.items()))
    passed = len(outcomes) - len(wrong)
    say(f"recorded traffic passed through: {passed} of {len(outcomes)} calls pass ({said})")
    assert wrong == {}


def test_every_usage_that_is_reported_is_in_its_row(outcomes: list[Outcome]) -> None:
    wrong = []
    for call, _, _, row in outcomes:
        told = call.usage if call.status < 300 else None
        expected = told | {"usage_source": "provider"} if told else {"usage_source": "none", "input_tokens": 0}
        expected |= {"status": call.status, "attempts": 1, "provider": call.provider}
        off = [f"{name} {row[name]!r} for {value!r}" for name, value in expected.items() if row[name] != value]
        wrong += [f"{call.id} {call.method} {call.path}: {', '.join(off)}"] if off else []
    assert "\n".join(wrong) == ""
