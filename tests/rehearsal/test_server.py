"""The rehearsal on a real socket: raw, and as the official SDK sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

SERVE = """
import sys
from dragoman.config.schema import Rehearsal
from dragoman.rehearsal.server import run
sys.exit(run("127.0.0.1", int(sys.argv[1]), Rehearsal(time_to_first_token_s=0.001, tokens_per_s=20000.0)))
"""
CHAT = {"model": "rehearsal", "messages": [{"role": "user", "content": "Hello."}]}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(number)], start_new_session=True)
    try:
        _wait(process, number)
        yield number
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        assert process.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not listen")


@pytest.fixture
def client(port: int) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0) as client:
        yield client


def talk(port: int, **fields: Any) -> bytes:
    """Sends one request and reads until the server closes the connection."""
    body = json.dumps(CHAT | fields).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_a_stream_ends_as_it_should(port: int) -> None:
    received = talk(port, stream=True)
    assert b"content-type: text/event-stream" in received
    assert received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("kept", [0, 1, 3])
@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_closes_the_connection_short_of_its_length(port: int, kept: int, stream: bool) -> None:
    head, _, body = talk(port, stream=stream, rehearsal={"cut": kept}).partition(b"\r\n\r\n")
    announced = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert len(body) < announced
    assert body.count(b"data: ") == (kept if stream else 0)
    assert (len(body) == 0) == (kept == 0)


def test_an_end_without_done_is_a_proper_body(port: int) -> None:
    received = talk(port, stream=True, rehearsal={"cut": {"after_chunks": 2, "how": "end"}})
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert b"[DONE]" not in received


def test_a_whole_answer_in_parts_keeps_its_length(port: int) -> None:
    received = talk(port, rehearsal={"stall": {"after_chunks": 2, "seconds": 0.6}})
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head + b"\r\n"
    assert json.loads(body)["object"] == "chat.completion"


def test_clients_that_leave_are_forgotten(port: int) -> None:
    """A stall of an hour does not hold up a server that is stopped, nor one that is asked again."""
    body = json.dumps(CHAT | {"stream": True, "rehearsal": {"stall": {"after_chunks": 1}}}).encode()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"POST /chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )
            assert connection.recv(12) == b"HTTP/1.1 200"
    assert b"[DONE]" in talk(port, stream=True)


def test_the_sdk_reads_whole_and_streamed_answers(client: openai.OpenAI) -> None:
    messages: Any = CHAT["messages"]
    whole = client.chat.completions.create(model="rehearsal", messages=messages)
    streamed = list(
        client.chat.completions.create(
            model="rehearsal", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    assert text == whole.choices[0].message.content
    assert streamed[-1].usage == whole.usage


def test_the_sdk_parses_tools_and_schemas(client: openai.OpenAI) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool: Any = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
    messages: Any = [{"role": "user", "content": "What is the weather?"}]
    answer = client.chat.completions.create(model="rehearsal", messages=messages, tools=[tool])
    calls: Any = answer.choices[0].message.tool_calls
    assert isinstance(json.loads(calls[0].function.arguments)["city"], str)
    with client.chat.completions.stream(model="rehearsal", messages=messages, tools=[tool]) as stream:
        final: Any = stream.get_final_completion().choices[0].message.tool_calls
    assert final[0].function.arguments == calls[0].function.arguments


def test_the_sdk_reads_embeddings_models_and_completions(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="rehearsal", input="a", dimensions=8)
    plain = client.embeddings.create(model="rehearsal", input="a", dimensions=8, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert [model.id for model in client.models.list()] == ["rehearsal", "rehearsal-embedding"]
    assert client.completions.create(model="rehearsal", prompt="a").choices[0].finish_reason == "length"


def test_the_sdk_sees_each_fault_as_what_it_is(client: openai.OpenAI) -> None:
    def ask(**script: Any) -> Any:
        messages: Any = CHAT["messages"]
        extra = {"rehearsal": script}
        return list(client.chat.completions.create(model="rehearsal", messages=messages, stream=True, extra_body=extra))

    with pytest.raises(openai.RateLimitError) as limited:
        ask(refuse={"status": 429, "retry_after_s": 2, "retry_after_form": "milliseconds"})
    assert limited.value.response.headers["retry-after-ms"] == "2000"
    with pytest.raises(openai.AuthenticationError):
        ask(refuse=401)
    with pytest.raises(openai.InternalServerError):
        ask(refuse=503)
    with pytest.raises(openai.BadRequestError, match="refuze"):
        ask(refuze=1)
    with pytest.raises(openai.APIError, match="had an error"):
        ask(error=2)
    with pytest.raises(openai.APIConnectionError):
        ask(cut=4)
    with pytest.raises(json.JSONDecodeError):
        ask(malformed=2)
