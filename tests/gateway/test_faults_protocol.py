"""What the gateway does when a provider's answers are not what they should be: W1 to W23, for chat and embeddings.

Each test is named after its row in the catalogue of faults, runs on real sockets, and looks at the usage row as well.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.ring import MAX_EVENT_BYTES, Pair, Ring
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    Step,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    hold,
    pause,
    role_event,
    send,
    stream,
    stream_head,
    until,
    usage_event,
)

PAIRS = 130
ASK_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def ring(pool: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    directory: Path = tmp_path_factory.mktemp("protocol")
    keys = [{"key": "sk-pool-a", "name": "a"}, {"key": "sk-pool-b", "name": "b"}]
    urls = {"pool": {"base_url": pool.base_url, "api_key": "", "credentials": keys}}
    with Ring(directory, PAIRS, urls) as ring:
        yield ring
        ring.check()


@pytest.fixture(scope="module")
def pool() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def pair(ring: Ring) -> Pair:
    return ring.pair()


def plays(*parts: bytes) -> Step:
    """A stream of these bytes, one chunk each, properly ended."""
    return send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK)


def error(message: str = "m", kind: str = "server_error", code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


@pytest.mark.parametrize("body", [b'{"a":', b"", b"null and more", b"\xff\xfe", chat_answer()[:-1] + b"\0}", b"NaN"])
def test_w01_a_body_that_is_not_json_is_no_answer(pair: Pair, body: bytes) -> None:
    pair.first.reply(expect, answer(body))
    assert pair.ask().text == "Hello."
    assert json.loads(pair.row()["attempt_log"])[0]["outcome"] == "upstream_protocol"
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_protocol")


def test_w01_the_body_is_not_shown(pair: Pair) -> None:
    pair.first.reply(expect, answer(b'{"a": "Confidential-Marker'))
    assert b"Confidential-Marker" not in pair.ask(pair.once).body
    assert "Confidential-Marker" not in pair.gateway.output


SPLIT = b"".join(
    [
        role_event(),
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        b'"delta":{"content":"t\xc3\xa9a \xf0\x9f\xab\x96"},"finish_reason":null}]}\r\n\r\n',
        b": ping\n\n",
        event(finish_reason="stop").replace(b"\n", b"\r\n"),
        usage_event(),
        DONE,
    ]
)


def test_w02_every_split_gives_the_same_bytes(pair: Pair) -> None:
    """Chunks of a chunked body reach the gateway's reader apart, however the network joins them."""
    for at in range(1, len(SPLIT)):
        pair.first.reply(expect, plays(SPLIT[:at], SPLIT[at:]))
    pair.first.reply(expect, plays(*(bytes([byte]) for byte in SPLIT)))
    with Client(pair.gateway.port) as client:
        for at in range(1, len(SPLIT) + 1):
            client.chat(model=pair.alias, **ASK_USAGE)
            response = client.read()
            assert response.body == SPLIT, at
    assert {row["usage_source"] for row in pair.rows(len(SPLIT))} == {"provider"}
    assert pair.second.requests == []


def _lines(end: bytes) -> bytes:
    return b"".join([role_event(), event("Hi"), event(finish_reason="stop"), usage_event(), DONE]).replace(b"\n", end)


LINES = {
    "lf": _lines(b"\n"),
    "crlf": _lines(b"\r\n"),
    "cr": _lines(b"\r"),
    "mixed": role_event() + event("Hi").replace(b"\n", b"\r\n") + event(finish_reason="stop") + usage_event() + DONE,
    "bom": b"\xef\xbb\xbf" + _lines(b"\n"),
    "no_space": _lines(b"\n").replace(b"data: ", b"data:"),
    "many_data_lines": _lines(b"\n").replace(b'"choices": [', b'"choices":\ndata:  ['),
    "named_events": _lines(b"\n").replace(b"data: ", b"event: message\ndata: "),
    "extra_blank_lines": _lines(b"\n").replace(b"\n\n", b"\n\n\n\n"),
    "unended_done": _lines(b"\n")[:-1],
    "bare_done": _lines(b"\n")[:-2],
}


@pytest.mark.parametrize("name", LINES)
def test_w03_every_way_to_end_a_line_is_read(pair: Pair, name: str) -> None:
    pair.first.reply(expect, plays(LINES[name]))
    response = pair.ask(**ASK_USAGE)
    assert response.status == 200
    assert response.complete
    assert response.body.rstrip().endswith(b"[DONE]")
    assert response.body.count(b"[DONE]") == 1
    row = pair.row()
    assert (row["error_code"], row["finish_reason"]) == ("", "stop")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 3, "provider")


def test_w03_an_unended_event_is_dropped(pair: Pair) -> None:
    pair.first.reply(expect, plays(role_event(), event("Hi"), event(finish_reason="stop"), event(" more")[:-2]))
    response = pair.ask(stream=True)
    assert response.text == "Hi"
    assert b" more" not in response.body


def test_w04_comments_and_other_fields_do_no_harm(pair: Pair) -> None:
    noise = b": OPENROUTER PROCESSING\n\nid: 7\n\nretry: 1\n\nwhatever: x\n\n"
    pair.first.reply(expect, plays(noise, role_event(), noise, event("Hi"), noise, event(finish_reason="stop"), DONE))
    response = pair.ask(stream=True)
    said = b"".join(line for line in response.body.splitlines(keepends=True) if line.startswith(b"data: {"))
    assert [json.loads(line[6:])["choices"][0]["delta"].get("content") for line in said.splitlines()] == [
        "",
        "Hi",
        None,
    ]
    assert pair.row()["error_code"] == ""


@pytest.mark.parametrize(("size", "fits"), [(MAX_EVENT_BYTES, True), (MAX_EVENT_BYTES + 1, False)])
def test_w05_an_event_has_a_largest_size(pair: Pair, size: int, fits: bool) -> None:
    empty = len(event(""))
    large = event("x" * (size - empty))
    gate = threading.Event()
    rest = b"".join(map(chunk, [large, event(finish_reason="stop"), DONE])) + LAST_CHUNK
    pair.first.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), until(gate), send(rest))
    response = pair.cut(gate, ["Hi"])
    if fits:
        assert len(response.text) == 2 + size - empty
        assert pair.row()["error_code"] == ""
    else:
        assert response.text == "Hi"
        assert json.loads(response.events[-1])["error"]["code"] == "upstream_protocol"
        assert pair.row()["error_code"] == "upstream_protocol"


def test_w05_a_line_without_end_is_cut_off_before_it_is_kept(pair: Pair) -> None:
    def endless(connection: Connection) -> None:
        connection.send(stream_head() + chunk(b"data: "))
        for _ in range(100):
            connection.send(chunk(b"x" * 1024 * 1024))
        hold(connection)

    pair.first.reply(expect, endless)
    before = pair.gateway.resident_bytes
    assert pair.ask(stream=True).text == "Hello."
    assert pair.gateway.resident_bytes - before < 48 * 1024 * 1024
    assert pair.first.closed() is not None


def test_w05_a_hundred_thousand_tiny_events_pass(pair: Pair) -> None:
    tiny = b"".join(map(chunk, [event("x")] * 100)) * 1000
    pair.first.reply(expect, send(stream_head() + chunk(role_event()) + tiny), plays_rest)
    response = pair.ask(stream=True)
    assert response.body.count(b'"x"') == 100_000
    assert response.body.endswith(DONE)


def plays_rest(connection: Connection) -> None:
    connection.send(b"".join(map(chunk, [event(finish_reason="stop"), usage_event(), DONE])) + LAST_CHUNK)


def test_w06_what_follows_done_is_nobodys(pair: Pair) -> None:
    parts = [role_event(), event("Hi"), event(finish_reason="stop"), DONE, event("evil"), DONE]
    pair.first.reply(expect, send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK))
    pair.first.reply(expect, stream())
    response = pair.ask(stream=True)
    assert (response.text, response.body.count(b"[DONE]"), response.complete) == ("Hi", 1, True)
    assert pair.ask(stream=True).text == "Hello."


def test_w06_a_body_that_goes_on_after_done_gives_up_its_connection(pair: Pair) -> None:
    parts = [role_event(), event("Hi"), event(finish_reason="stop"), DONE, event("evil")]
    pair.first.reply(expect, send(stream_head() + b"".join(map(chunk, parts))), hold)
    response = pair.ask(stream=True)
    assert (response.text, response.complete) == ("Hi", True)
    assert pair.first.closed() is not None


def test_w06_the_end_of_the_body_may_come_after_the_client_has_left(pair: Pair) -> None:
    """The client has its whole answer and closes its connection; the request is no cancelled one."""
    end = b"".join(map(chunk, [event(finish_reason="stop"), usage_event(), DONE]))
    begin = send(stream_head() + chunk(role_event() + event("Hi")))
    pair.first.reply(expect, begin, pause(0.6), send(end), pause(0.2), send(LAST_CHUNK))
    assert pair.ask(stream=True).text == "Hi"
    row = pair.row()
    assert (row["status"], row["error_code"], row["usage_source"]) == (200, "", "provider")


ERRORS = {
    "object": b"data: " + error("Overloaded right now", "overloaded_error") + b"\n\n",
    "event": b"event: error\ndata: " + error("Overloaded right now", "overloaded_error") + b"\n\n",
    "with_code": b"data: " + error("slow down", "requests", "rate_limit_exceeded") + b"\n\n",
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("before", [b"", role_event()])
def test_w07_an_error_before_the_content_falls_back(pair: Pair, name: str, before: bytes) -> None:
    pair.first.reply(expect, plays(before or b":\n\n", ERRORS[name], DONE))
    pair.second.reply(expect, stream())
    response = pair.ask(stream=True)
    assert (response.status, response.text, response.body.count(b'"role"')) == (200, "Hello.", 1)
    row = pair.row()
    assert (row["status"], row["attempts"], row["fallback_index"]) == (200, 2, 1)


@pytest.mark.parametrize(("name", "status"), [("object", 502), ("event", 502), ("with_code", 429)])
def test_w07_alone_it_is_that_error(pair: Pair, name: str, status: int) -> None:
    pair.first.reply(expect, plays(ERRORS[name]))
    response = pair.ask(pair.once, stream=True)
    assert response.status == status
    assert response.headers["content-type"].startswith("application/json")
    assert pair.row()["fault"] == "upstream"


@pytest.mark.parametrize("name", ["object", "event"])
def test_w08_an_error_after_content_is_told_in_the_stream(pair: Pair, name: str) -> None:
    pair.first.reply(expect, plays(role_event(), event("Hi"), ERRORS[name], DONE))
    response = pair.ask(stream=True)
    assert response.text == "Hi"
    last = response.events[-1]
    assert b"Overloaded right now" in last
    assert b"overloaded_error" in last
    assert b"[DONE]" not in response.body
    assert pair.second.requests == []
    row = pair.row()
    assert (row["fault"], row["attempts"], row["usage_source"], row["output_tokens"]) == ("upstream", 1, "counted", 1)


def test_w09_an_error_under_200_falls_back(pair: Pair) -> None:
    pair.first.reply(expect, answer(error("broken", "server_error")))
    assert pair.ask().text == "Hello."
    assert pair.row()["attempts"] == 2


def test_w09_alone_it_has_its_own_status(pair: Pair) -> None:
    body = error("too long", "invalid_request_error", "context_length_exceeded")
    pair.first.reply(expect, answer(body))
    response = pair.ask(pair.once)
    assert (response.status, response.body) == (400, body)
    assert (pair.row()["status"], pair.row()["fault"]) == (400, "client")


def test_w10_what_is_unknown_is_passed_on_as_it_is(pair: Pair) -> None:
    odd = [
        b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"oracle","content":"a"},"new":{"b":[1e400]}}]}\n\n',
        b'data: {"type":"unheard.of","choices":[]}\n\n',
        b'data: {"id":"1","choices":[{"index":0,"delta":{"content":[{"type":"odd"}]},"finish_reason":"because"}]}\n\n',
    ]
    pair.first.reply(expect, plays(role_event(), *odd, usage_event(), DONE))
    response = pair.ask(**ASK_USAGE)
    assert response.body == b"".join([role_event(), *odd, usage_event(), DONE])
    assert pair.row()["finish_reason"] == "because"


def _call(index: int, **call: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": {"tool_calls": [{"index": index, **call}]}, "finish_reason": None}])


CALLS = {
    "out_of_order": [_call(1, id="b", function={"name": "g"}), _call(0, id="a", function={"name": "f"})],
    "skipped": [_call(0, id="a", function={"name": "f"}), _call(7, id="b", function={"name": "g"})],
    "two_ids": [_call(0, id="a", function={"name": "f"}), _call(0, id="b", function={"name": "g"})],
    "arguments_first": [_call(0, function={"arguments": "{"}), _call(0, id="a", function={"name": "f"})],
    "bad_arguments": [_call(0, id="a", function={"name": "f", "arguments": '{"a": NaN'})],
    "deep_arguments": [_call(0, id="a", function={"name": "f", "arguments": "[" * 10_000})],
}


@pytest.mark.parametrize("name", CALLS)
def test_w11_w12_odd_tool_calls_are_passed_on_as_they_are(pair: Pair, name: str) -> None:
    """In the provider's own dialect nothing is put together, so nothing can be put together wrongly."""
    parts = [role_event(), *CALLS[name], event(finish_reason="tool_calls"), DONE]
    pair.first.reply(expect, plays(*parts))
    assert pair.ask(stream=True).body == b"".join(parts)
    row = pair.row()
    assert (row["error_code"], row["finish_reason"], row["usage_source"]) == ("", "tool_calls", "counted")


USAGES: dict[str, Any] = {
    "missing": None,
    "null": {"usage": None},
    "negative": {"usage": {"prompt_tokens": -9, "completion_tokens": -3, "total_tokens": -12}},
    "enormous": {"usage": {"prompt_tokens": 2**63, "completion_tokens": 2**70, "total_tokens": 2**71}},
    "fractions": {"usage": {"prompt_tokens": 9.5, "completion_tokens": 3.0, "total_tokens": 12}},
    "texts": {"usage": {"prompt_tokens": "9", "completion_tokens": [], "total_tokens": {}}},
    "list": {"usage": [1, 2]},
}


@pytest.mark.parametrize("name", USAGES)
@pytest.mark.parametrize("streamed", [True, False])
def test_w13_usage_that_cannot_be_is_counted_instead(pair: Pair, name: str, streamed: bool) -> None:
    given = USAGES[name]
    if streamed:
        last = [] if given is None else [event(choices=[], **given)]
        pair.first.reply(expect, plays(role_event(), event("One two"), event(finish_reason="stop"), *last, DONE))
    else:
        whole = json.loads(chat_answer("One two"))
        del whole["usage"]
        pair.first.reply(expect, answer(json.dumps(whole | (given or {})).encode()))
    assert pair.ask(stream=streamed).text == "One two"
    row = pair.row()
    assert 0 < row["input_tokens"] < 100
    assert 0 < row["output_tokens"] < 100
    assert row["cost_nanousd"] is None or 0 <= row["cost_nanousd"] < 10**9
    assert row["usage_source"] in ({"counted", "provider"} if name == "fractions" else {"counted"})


def test_w13_the_last_usage_of_several_counts_once(pair: Pair) -> None:
    parts = [role_event(), event("Hi"), usage_event(9, 1), event(finish_reason="stop"), usage_event(9, 2), DONE]
    pair.first.reply(expect, plays(*parts))
    pair.ask(**ASK_USAGE)
    row = pair.row()
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 2, "provider")


PAGES = [
    (502, "text/html", b"<html><h1>Bad Gateway</h1></html>"),
    (503, "text/html", b"<html><h1>Unavailable</h1></html>"),
    (500, "text/plain", b"<oops>"),
    (200, "text/html", b"<html>hello</html>"),
    (200, "text/plain", b"<fine>"),
    (404, "text/html", b"<html>not here</html>"),
    (503, "application/json", b""),
]


@pytest.mark.parametrize(("status", "kind", "body"), PAGES)
@pytest.mark.parametrize("streamed", [True, False])
def test_w14_pages_are_never_shown(pair: Pair, status: int, kind: str, body: bytes, streamed: bool) -> None:
    pair.first.reply(expect, answer(body, status, content_type=kind))
    response = pair.ask(pair.once, stream=streamed)
    assert response.status == (404 if status == 404 else 502)
    assert response.headers["content-type"].startswith("application/json")
    assert b"<" not in response.body
    assert response.error["message"]


RETRY_AFTER: dict[str, tuple[dict[str, str], int | None]] = {
    "seconds": ({"retry-after": "7"}, 7),
    "zero": ({"retry-after": "0"}, 0),
    "negative": ({"retry-after": "-1"}, 0),
    "absurd": ({"retry-after": "1000000000"}, 3600),
    "garbage": ({"retry-after": "abc"}, None),
    "empty": ({"retry-after": ""}, None),
    "past": ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    "old_format": ({"retry-after": "Wednesday, 21-Oct-15 07:28:00 GMT"}, 0),
    "against_date": ({"date": formatdate(1e9, usegmt=True), "retry-after": formatdate(1e9 + 40, usegmt=True)}, 40),
    "milliseconds": ({"retry-after-ms": "2500"}, 3),
    "milliseconds_first": ({"retry-after-ms": "2500", "retry-after": "60"}, 3),
    "reset": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
}


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_w15_every_form_of_retry_after_is_understood(pair: Pair, name: str) -> None:
    headers, seconds = RETRY_AFTER[name]
    pair.first.reply(expect, answer(error("slow down", "requests", "rate_limit_exceeded"), 429, **headers))
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (429, "rate_limit_exceeded")
    said = response.headers.get("retry-after")
    assert said == (None if seconds is None else str(seconds))
    assert (pair.row()["status"], pair.row()["fault"]) == (429, "upstream")


def test_w16_a_limited_key_of_several_cools_down_alone(ring: Ring, pool: Upstream) -> None:
    limited = answer(error("slow down", "requests", "rate_limit_exceeded"), 429, retry_after="600")

    def by_key(connection: Connection) -> None:
        assert connection.request is not None
        step = limited if connection.request.headers["authorization"] == "Bearer sk-pool-a" else answer()
        step(connection)

    pool.reply(expect, by_key)
    pair = ring.named("pool")
    for _ in range(20):
        assert pair.ask(pair.alone).text == "Hello."
    rows = pair.rows(20)
    assert {row["status"] for row in rows} == {200}
    assert {row["credential"] for row in rows} == {"b"}
    used = [request.headers["authorization"] for request in pool.requests]
    assert used.count("Bearer sk-pool-a") <= 1
    assert used.count("Bearer sk-pool-b") == 20


def test_w17_a_refused_credential_is_never_the_clients(pair: Pair) -> None:
    pair.first.reply(expect, answer(error("bad key", "invalid_request_error", "invalid_api_key"), 401))
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_auth")
    assert pair.ask().text == "Hello."
    asked = len(pair.first.requests)
    for _ in range(3):
        assert pair.ask().text == "Hello."
    assert len(pair.first.requests) == asked <= 2


def test_w18_content_after_the_finish_keeps_its_place(pair: Pair) -> None:
    parts = [role_event(), event("Hi"), event(finish_reason="stop"), event(" late"), usage_event(), DONE]
    pair.first.reply(expect, plays(*parts))
    assert pair.ask(**ASK_USAGE).body == b"".join(parts)


def _choice(index: int, text: str | None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    return event(choices=[{"index": index, "delta": delta, "finish_reason": finish}])


def test_w18_interleaved_choices_keep_their_order(pair: Pair) -> None:
    parts = [
        _choice(0, "a"),
        _choice(1, "x"),
        _choice(0, "b"),
        _choice(1, None, "stop"),
        _choice(0, None, "stop"),
        DONE,
    ]
    pair.first.reply(expect, plays(*parts))
    assert pair.ask(stream=True, n=2).body == b"".join(parts)
    assert pair.row()["error_code"] == ""


def test_w18_a_choice_without_end_is_a_cut(pair: Pair) -> None:
    parts = [_choice(0, "a"), _choice(1, "x"), _choice(2, "q"), _choice(0, None, "stop"), _choice(1, None, "stop")]
    pair.first.reply(expect, plays(*parts))
    response = pair.ask(stream=True, n=3)
    assert json.loads(response.events[-1])["error"]["code"] == "upstream_cut"
    assert b"[DONE]" not in response.body


def _raw(content: bytes) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"' + content + b'"},"finish_reason":null}]}\n\n'


TEXTS = {
    "emoji": [_raw("🫖".encode())],
    "surrogates_apart": [_raw(b"\\ud83e"), _raw(b"\\uded6")],
    "escaped_nul": [_raw(b"a\\u0000b")],
    "invalid": [_raw(b"a\xff\xfeb")],
}


@pytest.mark.parametrize("name", TEXTS)
def test_w19_odd_text_is_passed_on_as_it_is(pair: Pair, name: str) -> None:
    parts = [role_event(), *TEXTS[name], event(finish_reason="stop"), DONE]
    pair.first.reply(expect, plays(*parts))
    assert pair.ask(stream=True).body == b"".join(parts)
    row = pair.row()
    assert (row["error_code"], row["usage_source"]) == ("", "counted")


def test_w20_another_model_than_asked_for_is_an_answer(pair: Pair) -> None:
    pair.first.reply(expect, answer(chat_answer(model="gpt-4o-mini-2024-07-18")))
    response = pair.ask()
    assert response.json["model"] == "gpt-4o-mini-2024-07-18"
    assert pair.row()["status"] == 200


def test_w20_another_id_in_the_stream_is_passed_on(pair: Pair) -> None:
    parts = [role_event(), event("Hi", id="other"), event(finish_reason="stop"), DONE]
    pair.first.reply(expect, plays(*parts))
    assert pair.ask(stream=True).body == b"".join(parts)


@pytest.mark.parametrize("streamed", [True, False])
def test_w21_a_filtered_answer_is_an_answer(pair: Pair, streamed: bool) -> None:
    if streamed:
        pair.first.reply(expect, plays(role_event(), event(finish_reason="content_filter"), usage_event(), DONE))
    else:
        choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "content_filter"}
        pair.first.reply(expect, answer(chat_answer(choices=[choice])))
    assert pair.ask(stream=streamed).status == 200
    row = pair.row()
    assert (row["error_code"], row["attempts"], row["finish_reason"]) == ("", 1, "content_filter")


@pytest.mark.parametrize("streamed", [True, False])
def test_w22_an_empty_answer_is_an_answer(pair: Pair, streamed: bool) -> None:
    parts = [role_event(), event(finish_reason="stop"), usage_event(9, 0), DONE]
    pair.first.reply(expect, plays(*parts) if streamed else answer(chat_answer("", completion=0)))
    response = pair.ask(stream=streamed)
    assert (response.status, response.text) == (200, "")
    row = pair.row()
    assert (row["error_code"], row["attempts"], row["output_tokens"]) == ("", 1, 0)


def embeddings(*vectors: Any, usage: bool = True) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    said = {"usage": {"prompt_tokens": 4, "total_tokens": 4}} if usage else {}
    return json.dumps({"object": "list", "data": data, "model": "m", **said}).encode()


def embed(pair: Pair, **fields: Any) -> Response:
    return pair.post("/v1/embeddings", input=["a", "b"], **fields)


def test_w23_vectors_pass_as_they_are(pair: Pair) -> None:
    body = embeddings([0.1, 0.2], [0.3, 0.4])
    pair.first.reply(expect, answer(body))
    assert embed(pair).body == body
    row = pair.row()
    assert (row["endpoint"], row["input_tokens"], row["output_tokens"]) == ("embeddings", 4, 0)


VECTORS = {
    "too_few": (embeddings([0.1, 0.2]), {}),
    "none": (embeddings(), {}),
    "unlike_lengths": (embeddings([0.1, 0.2], [0.3]), {}),
    "other_length": (embeddings([0.1, 0.2], [0.3, 0.4]), {"dimensions": 3}),
    "not_a_number": (embeddings([0.1, float("nan")], [0.3, 0.4]), {}),
}


@pytest.mark.parametrize("name", VECTORS)
def test_w23_wrong_vectors_are_no_answer(pair: Pair, name: str) -> None:
    body, fields = VECTORS[name]
    pair.first.reply(expect, answer(body))
    response = embed(pair, **fields)
    assert (response.status, response.error["code"]) == (502, "upstream_protocol")
    assert pair.row()["error_code"] == "upstream_protocol"
