from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import SECRET, config_for
from tests.gateway.upstream import Upstream, answer, chunk, expect, head, reset, send, stream, stream_head
from tests.served import Protocol, Serve, Served

from dragoman.access.secret import create_secret
from dragoman.endpoints.passthrough import shape_of


def images(**fields: Any) -> bytes:
    return json.dumps({"model": "up0", "prompt": "a cat"} | fields).encode()


@pytest.fixture
def two(serve: Serve, upstream: Upstream) -> Served:
    """The scripted provider and one that refuses connections."""
    return serve(config_for(upstream.base_url, "http://127.0.0.1:9/v1"))


def test_a_json_body_goes_by_its_model(two: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"data": [1]}'))
    response = two.ask("POST", "/v1/images/generations?a=b&c", images(n=2))
    assert (response.status, response.body) == (200, b'{"data": [1]}')
    (sent,) = upstream.received()
    assert (sent.method, sent.path) == ("POST", "/v1/images/generations?a=b&c")
    assert sent.body == b'{"model": "gpt-4o-mini", "prompt": "a cat", "n": 2}'
    row = two.row(response)
    assert (row.endpoint, row.alias, row.deployment, row.status) == ("/images/generations", "up0", "up0", 200)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/files", "/files"),
        ("/images/generations", "/images/generations"),
        ("/files/file-abc123/content", "/files/*/content"),
        ("/threads/thread_7W4a/runs/run_Z41L/submit_tool_outputs", "/threads/*/runs/*/submit_tool_outputs"),
        ("/vector_stores/vs_1/", "/vector_stores/*/"),
        ("/" + "x" * 33, "/*"),
    ],
)
def test_ids_in_a_path_are_left_out_of_the_figures(path: str, shape: str) -> None:
    assert shape_of(path) == shape


def test_what_the_client_says_of_itself_is_not_sent_on(two: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    mine = {
        "content_type": "application/json; charset=utf-8",
        "accept": "application/json",
        "openai_beta": "assistants=v2",
        "idempotency_key": "i",
        "cookie": "c=1",
        "x_forwarded_for": "1.2.3.4",
        "openai_organization": "org",
        "x_dragoman_tags": "t",
        "authorization": "Bearer dgk_whatever",
        "host": "elsewhere",
    }
    two.ask("POST", "/v1/moderations", images(), **mine)
    sent = upstream.received()[0].headers
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert sent["content-type"] == "application/json; charset=utf-8"
    assert (sent["openai-beta"], sent["idempotency-key"]) == ("assistants=v2", "i")
    assert sent["host"] == f"127.0.0.1:{upstream.port}"
    assert sent.keys() & {"cookie", "x-forwarded-for", "openai-organization", "x-dragoman-tags"} == set()


@pytest.mark.parametrize("name", ["x-dragoman-deployment", "x-portkey-provider"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_header_names_the_deployment(two: Served, upstream: Upstream, name: str, method: str) -> None:
    upstream.reply(expect, answer(b'{"object": "list"}'))
    response = two.ask(method, "/v1/files/file-1", b"", **{name: "up0"})
    assert (response.status, response.json) == (200, {"object": "list"})
    assert upstream.received()[0].method == method
    assert upstream.received()[0].body == b""


def test_a_provider_may_be_named_as_well(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url)
    del config["deployments"]["up0"]
    config |= {"routes": {}, "deployments": {"mine": {"provider": "up0", "model": "gpt-4o"}}}
    upstream.reply(expect, answer(b"{}"))
    response = serve(config).ask("POST", "/v1/batches", images(model="theirs"), x_dragoman_deployment="up0")
    assert response.status == 200
    assert json.loads(upstream.received()[0].body)["model"] == "theirs"


def test_where_nothing_names_one_it_is_asked_for(two: Served, upstream: Upstream) -> None:
    response = two.get("/v1/files")
    assert (response.status, response.code) == (400, "no_deployment_named")
    assert upstream.requests == []


def test_the_only_provider_needs_no_name(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"object": "list"}'))
    assert served.get("/v1/files").json == {"object": "list"}


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\n\x00\xff\r\n"
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nup0\r\n--b--\r\n'
)


def test_a_form_goes_by_its_model(two: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"text": "meow"}'))
    response = two.ask("POST", "/v1/audio/transcriptions", FORM, content_type="multipart/form-data; boundary=b")
    assert response.json == {"text": "meow"}
    (sent,) = upstream.received()
    assert sent.headers["content-type"] == "multipart/form-data; boundary=b"
    assert sent.body == FORM.replace(b"\r\n\r\nup0\r\n", b"\r\n\r\ngpt-4o-mini\r\n")


def test_any_answer_is_passed_on_as_it_comes(two: Served, upstream: Upstream) -> None:
    audio = bytes(range(256)) * 500
    upstream.reply(expect, send(head(200, content_type="audio/mpeg", content_length=str(len(audio))) + audio))
    response = two.ask("POST", "/v1/audio/speech", images())
    assert (response.status, response.headers["content-type"], response.body) == (200, "audio/mpeg", audio)
    assert response.complete


def test_a_stream_is_passed_on_and_metered(two: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    response = two.ask("POST", "/v1/images/edits", images(stream=True))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.body.endswith(b"data: [DONE]\n\n")
    row = two.row(response)
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.stream) == (9, 3, "provider", True)


def test_events_of_another_dialect_are_passed_on(two: Served, upstream: Upstream) -> None:
    event = b'event: response.created\ndata: {"type":"response.created"}\n\n'
    upstream.reply(expect, send(stream_head() + chunk(event) + b"0\r\n\r\n"))
    assert two.ask("POST", "/v1/images/edits", images(stream=True)).body == event


def test_nothing_is_sent_twice_once_it_was_sent(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url))
    upstream.reply(expect, reset)
    response = served.ask("POST", "/v1/batches", images(model="chat"))
    assert (response.status, response.code) == (502, "upstream_unreachable")
    assert len(upstream.requests) == 1
    assert served.row(response).attempts == 1


def test_what_was_never_sent_goes_to_the_next(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for("http://127.0.0.1:9/v1", upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, answer(b"{}"))
    response = served.ask("POST", "/v1/batches", images(model="chat"))
    assert (response.status, served.row(response).attempts) == (200, 2)


def refused(served: Served, method: str, body: bytes = b"", **headers: str) -> Protocol:
    return served.ask(method, "/v1/files", body, **headers)


def test_what_is_not_passed_through(two: Served, upstream: Upstream) -> None:
    assert refused(two, "TRACE").code == "method_not_passed"
    assert refused(two, "CONNECT").code == "method_not_passed"
    assert refused(two, "POST", b'{"model": ').code == "invalid_json"
    assert refused(two, "POST", b'{"model": "up0", "model": "up1"}').code == "duplicate_key"
    assert refused(two, "POST", images(model="none")).code == "model_not_found"
    assert refused(two, "POST", images(), x_dragoman_deployment="none").code == "model_not_found"
    assert upstream.requests == []


def test_a_key_is_needed_and_bounds_what_may_be_named(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    keys = [{"name": "k", "secret": secret, "allow": ["up1"]}]
    served = serve(config_for(upstream.base_url, upstream.base_url, keys=keys))
    assert served.get("/v1/files", x_dragoman_deployment="up1").status == 401
    bearer = f"Bearer {secret}"
    assert served.get("/v1/files", x_dragoman_deployment="up0", authorization=bearer).status == 403
    assert served.ask("POST", "/v1/images/edits", images(model="chat"), authorization=bearer).status == 403
    assert upstream.requests == []
    upstream.reply(expect, answer(b"{}"))
    assert served.get("/v1/files", x_dragoman_deployment="up1", authorization=bearer).status == 200
