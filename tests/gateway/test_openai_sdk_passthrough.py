"""The official OpenAI SDK for Python as a client of the paths that are passed through: what is sent and what comes back
is the provider's, byte by byte, and the request is metered all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.gateway.gateway import SECRET
from tests.gateway.stage import AUDIO, Stage

WAVE = b"RIFF" + bytes(range(256)) * 40 + b"\r\n--boundary--\r\n"
UP = {"x-dragoman-deployment": "up"}


@pytest.fixture
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
        yield client


def test_moderations(stage: Stage, client: OpenAI) -> None:
    raw = client.moderations.with_raw_response.create(model="up/moderate@sdk", input="Hello.")
    assert raw.parse().id == "modr-1"
    (sent,) = stage.seen("moderate@sdk")
    assert sent.path == "/v1/moderations"
    assert sent.json == {"model": "moderate@sdk", "input": "Hello."}
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    row = stage.row(raw.headers["x-request-id"])
    assert (row["endpoint"], row["status"], row["model"]) == ("/moderations", 200, "moderate@sdk")
    assert raw.headers["x-dragoman-deployment"] == "up/moderate@sdk"


def test_images(client: OpenAI) -> None:
    answer = client.images.generate(model="up/images@sdk", prompt="A gate.")
    assert answer.data is not None
    assert answer.data[0].b64_json == "aGk="


def test_speech(stage: Stage, client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="up/speech@sdk", voice="alloy", input="Hello."
    ) as spoken:
        assert spoken.headers["content-type"] == "audio/mpeg"
        assert b"".join(spoken.iter_bytes()) == AUDIO
        row = stage.row(spoken.headers["x-request-id"])
    assert (row["endpoint"], row["status"], row["usage_source"]) == ("/audio/speech", 200, "none")


@pytest.mark.parametrize("fields", [{}, {"language": "fr", "prompt": 'name="model"\r\n\r\nfoo'}])
def test_an_upload_of_audio(stage: Stage, client: OpenAI, fields: Any) -> None:
    model = f"transcribe@{len(fields)}"
    heard: Any = client.audio.transcriptions.create(model=f"up/{model}", file=("a.wav", WAVE, "audio/wav"), **fields)
    (sent,) = stage.seen(model)
    assert heard.text == "multipart/form-data"
    assert heard.size == len(sent.body) == int(sent.headers["content-length"])
    parts = parts_of(sent.headers["content-type"], sent.body)
    assert parts["file"] == WAVE
    assert parts["model"] == model.encode()
    assert {name: parts[name].decode() for name in fields} == fields
    assert stage.key.encode() not in sent.body


def test_files(stage: Stage, client: OpenAI) -> None:
    content = b'{"custom_id": "1"}\n' * 1000
    made = client.files.with_raw_response.create(
        file=("a.jsonl", content), purpose="batch", extra_headers=UP | {"idempotency-key": "once"}
    )
    assert made.parse().id == "file-1"
    sent = stage.seen("/v1/files")[-1]
    parts = parts_of(sent.headers["content-type"], sent.body)
    assert (hashlib.sha256(parts["file"]).digest(), parts["purpose"]) == (hashlib.sha256(content).digest(), b"batch")
    assert sent.headers["idempotency-key"] == "once"
    assert "x-dragoman-deployment" not in sent.headers
    assert stage.row(made.headers["x-request-id"])["provider"] == "up"


def test_files_are_listed_read_and_deleted(stage: Stage, client: OpenAI) -> None:
    assert [file.id for file in client.files.list(limit=2, extra_headers=UP)] == ["file-1"]
    assert [one.path for one in stage.seen("/v1/files?limit=2")] == ["/v1/files?limit=2"]
    assert client.files.retrieve("file-1", extra_headers=UP).filename == "a.jsonl"
    assert client.files.content("file-1", extra_headers=UP).read() == b'{"custom_id": "1"}\n'
    assert client.files.delete("file-1", extra_headers=UP).deleted


def test_a_batch(stage: Stage, client: OpenAI) -> None:
    batch = client.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1", extra_headers=UP
    )
    assert batch.id == "batch_1"
    assert stage.seen("/v1/batches")[0].json["input_file_id"] == "file-1"


def test_stored_answers_are_listed(client: OpenAI) -> None:
    assert list(client.chat.completions.list(extra_headers=UP)) == []


def test_a_whole_response(stage: Stage, client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model="up/respond@whole", input="Hello.")
    usage = raw.parse().usage
    assert usage is not None
    assert_metered(stage, raw.headers["x-request-id"], streamed=False)


def test_a_streamed_response(stage: Stage, client: OpenAI) -> None:
    with client.responses.with_streaming_response.create(model="up/respond@stream", input="Hello.", stream=True) as raw:
        events: list[Any] = list(raw.parse())
        request_id = raw.headers["x-request-id"]
    kinds = [event.type for event in events]
    assert kinds == ["response.created", *["response.output_text.delta"] * 3, "response.completed"]
    assert "".join(event.delta for event in events[1:-1]) == "Hello."
    assert [event.sequence_number for event in events] == list(range(5))
    assert events[-1].response.usage.output_tokens_details.reasoning_tokens == 2
    assert_metered(stage, request_id, streamed=True)
    (sent,) = stage.seen("respond@stream")
    assert "stream_options" not in sent.json


def assert_metered(stage: Stage, request_id: str, *, streamed: bool) -> None:
    """The usage of a response of the stage is in its row."""
    row = stage.row(request_id)
    assert (row["endpoint"], row["usage_source"], row["stream"]) == ("responses", "provider", streamed)
    tokens = [row[f"{name}_tokens"] for name in ("input", "cached_input", "output", "reasoning")]
    assert tokens == [7, 4, 5, 2]


@pytest.mark.parametrize("status", [400, 500])
def test_errors_of_what_is_passed_through(stage: Stage, client: OpenAI, status: int) -> None:
    model = f"status-{status}@raw"
    with pytest.raises(openai.APIStatusError) as found:
        client.moderations.create(model=f"up/{model}", input="Hello.", extra_headers={"x-dragoman-retries": "2"})
    expected = {400: (400, "invalid_value"), 500: (502, "upstream_status")}[status]
    assert (found.value.status_code, found.value.code) == expected
    assert len(stage.seen(model)) == 1  # what may have had an effect is not sent again


def test_a_provider_has_to_be_named(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
        unclear: list[Any] = []
        for headers in ({"x-dragoman-deployment": "nothing"}, {"x-portkey-provider": "@up"}):
            try:
                unclear.append(client.files.retrieve("file-1", extra_headers=headers).id)
            except openai.NotFoundError as error:
                unclear.append(error.code)
    assert unclear == ["model_not_found", "file-1"]


@pytest.mark.parametrize(("key", "error"), [("", openai.AuthenticationError), ("narrow", openai.PermissionDeniedError)])
def test_no_key_no_file(stage: Stage, key: str, error: type[openai.APIStatusError]) -> None:
    before = len(stage.upstream.requests)
    secret = stage.narrow_key if key else "dgk_wrong"
    with OpenAI(base_url=stage.base_url, api_key=secret, max_retries=0) as client, pytest.raises(error):
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch", extra_headers=UP)
    assert len(stage.upstream.requests) == before


def parts_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a form, by name."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    parts = {}
    for block in body.split(boundary)[1:-1]:
        head, _, content = block.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0]
        parts[name.decode()] = content.removesuffix(b"\r\n")
    return parts


def test_what_is_json_stays_as_it_was(stage: Stage, client: OpenAI) -> None:
    body = b'{"model" : "up/moderate@bytes",  "input": ["\\u00e9", 1.50], "odd": {"a": 1e3}}'
    client.post("/moderations", content=body, cast_to=object)
    (sent,) = stage.seen("moderate@bytes")
    assert sent.body == body.replace(b"up/moderate@bytes", b"moderate@bytes")
    assert json.loads(sent.body)["odd"] == {"a": 1000.0}
