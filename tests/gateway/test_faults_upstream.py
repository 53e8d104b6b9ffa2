"""What the gateway does when the network on the provider's side fails: U1 to U30 but for TLS, DNS and HTTP/2.

Each test is named after its row in the catalogue of faults, runs on real sockets, and looks at the usage row as well.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.client import Client
from tests.gateway.ring import MAX_ANSWER_BYTES, TIMEOUTS, Pair, Ring
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Step,
    answer,
    black_hole,
    chat_answer,
    chunk,
    event,
    expect,
    finish,
    half_close,
    head,
    hold,
    pace,
    pause,
    refusing_port,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
    usage_event,
)

PAIRS = 80
TEXTS = ["One", " two", " three", " four"]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    directory: Path = tmp_path_factory.mktemp("upstream")
    with contextlib.ExitStack() as stack:
        refusing = stack.enter_context(refusing_port())
        hole = stack.enter_context(black_hole())
        urls = {
            "refused": {"base_url": f"http://127.0.0.1:{refusing}/v1"},
            # What an answer may take does not begin before there is a connection.
            "hole": {"base_url": f"http://127.0.0.1:{hole}/v1", "timeouts": {**TIMEOUTS, "first_byte_s": 0.3}},
        }
        ring = stack.enter_context(Ring(directory, PAIRS, urls))
        yield ring
        ring.check()


@pytest.fixture
def pair(ring: Ring) -> Pair:
    return ring.pair()


def assert_fell_back(pair: Pair, *, because: str) -> None:
    """One clean answer from the second upstream, and a row that says so."""
    row = pair.row()
    attempts = json.loads(row["attempt_log"])
    assert (row["status"], row["error_code"], row["attempts"], row["fallback_index"]) == (200, "", 2, 1)
    assert [attempt["outcome"] for attempt in attempts] == [because, "ok"]
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 3, "provider")


def assert_failed(pair: Pair, *, status: int, code: str, attempts: int = 1) -> None:
    row = pair.row()
    assert (row["status"], row["error_code"], row["fault"]) == (status, code, "upstream")
    assert row["attempts"] == attempts


def test_u01_refused_falls_back_at_once(ring: Ring) -> None:
    pair = ring.named("refused")
    response = pair.ask()
    assert (response.status, response.text) == (200, "Hello.")
    assert response.headers["x-dragoman-attempts"] == "2"
    assert response.headers["x-dragoman-fallback-index"] == "1"
    assert_fell_back(pair, because="upstream_unreachable")
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_unreachable")
    assert pair.row(2)["error_code"] == "upstream_unreachable"


def test_u02_black_hole_is_given_up_after_the_connect_timeout(ring: Ring) -> None:
    pair = ring.named("hole")
    assert pair.ask().text == "Hello."
    assert_fell_back(pair, because="upstream_unreachable")
    attempts = json.loads(pair.row()["attempt_log"])
    assert 900 < attempts[0]["ms"] < 10_000


def test_u03_reset_before_headers_falls_back(pair: Pair) -> None:
    pair.first.reply(expect, reset)
    assert pair.ask().text == "Hello."
    assert_fell_back(pair, because="upstream_unreachable")


def test_u03_reset_before_headers_is_tried_again_where_there_is_no_other(pair: Pair) -> None:
    pair.first.reply(expect, reset)
    pair.first.reply(expect, answer())
    assert pair.ask(pair.alone).text == "Hello."
    assert (pair.row()["status"], pair.row()["attempts"]) == (200, 2)


@pytest.mark.parametrize("shown", [b"", chunk(role_event()), chunk(b": waiting\n\n" + role_event())])
def test_u04_reset_before_the_first_content_is_never_seen(pair: Pair, shown: bytes) -> None:
    pair.first.reply(expect, send(stream_head() + shown), pause(0.1), reset)
    pair.second.reply(expect, stream())
    response = pair.ask(stream=True)
    assert (response.status, response.text, response.events.count(b"[DONE]")) == (200, "Hello.", 1)
    assert response.body.count(b'"role"') == 1
    assert_fell_back(pair, because="upstream_cut")


def cut_after(pair: Pair, count: int, how: Step) -> None:
    """A stream of ``count`` texts that ends ``how`` once the client has seen them; checks all that must then hold."""
    gate = threading.Event()
    sent = b"".join(chunk(event(text)) for text in TEXTS[:count])
    pair.first.reply(expect, send(stream_head() + chunk(role_event()) + sent), until(gate), how)
    response = pair.cut(gate, TEXTS[:count])
    *events, last = response.events
    assert [json.loads(data)["choices"][0]["delta"].get("content") for data in events[1:]] == TEXTS[:count]
    assert json.loads(last)["error"]["code"] == "upstream_cut"
    assert b"[DONE]" not in response.body
    assert b'"stop"' not in response.body
    row = pair.row()
    assert (row["error_code"], row["fault"], row["attempts"]) == ("upstream_cut", "upstream", 1)
    assert (row["usage_source"], row["output_tokens"]) == ("counted", count)
    assert row["input_tokens"] > 0
    assert pair.second.requests == []


@pytest.mark.parametrize("count", range(1, len(TEXTS) + 1))
def test_u05_cut_in_a_stream_is_told_and_billed(pair: Pair, count: int) -> None:
    cut_after(pair, count, reset)


@pytest.mark.parametrize("count", [1, len(TEXTS)])
def test_u06_fin_in_an_unfinished_body_is_a_cut(pair: Pair, count: int) -> None:
    cut_after(pair, count, finish)


def test_u06_a_proper_end_without_finish_reason_is_a_cut(pair: Pair) -> None:
    cut_after(pair, 2, send(LAST_CHUNK))


@pytest.mark.parametrize("usage", [True, False])
def test_u07_a_finish_reason_without_done_is_complete(pair: Pair, usage: bool) -> None:
    parts = [role_event(), *map(event, TEXTS), event(finish_reason="stop"), *([usage_event()] if usage else [])]
    pair.first.reply(expect, send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK), finish)
    response = pair.ask(stream=True)
    assert (response.text, response.events[-1], response.complete) == ("".join(TEXTS), b"[DONE]", True)
    row = pair.row()
    assert (row["status"], row["error_code"], row["finish_reason"]) == (200, "", "stop")
    assert (row["usage_source"], row["output_tokens"]) == (("provider", 3) if usage else ("counted", 4))


@pytest.mark.parametrize("shown", [b"", stream_head(), stream_head() + chunk(role_event())])
def test_u08_a_stall_before_the_first_content_falls_back(pair: Pair, shown: bytes) -> None:
    pair.first.reply(expect, send(shown), hold)
    pair.second.reply(expect, stream())
    response = pair.ask(stream=True)
    assert (response.text, response.body.count(b'"role"')) == ("Hello.", 1)
    assert_fell_back(pair, because="upstream_first_byte_timeout")
    connection = pair.first.closed()
    assert connection is not None
    assert connection.closed_by == "peer"


def test_u08_a_whole_answer_that_does_not_come_falls_back(pair: Pair) -> None:
    pair.first.reply(expect, hold)
    assert pair.ask().text == "Hello."
    assert_fell_back(pair, because="upstream_first_byte_timeout")


def test_u08_alone_it_is_a_504(pair: Pair) -> None:
    pair.first.reply(expect, hold)
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (504, "upstream_first_byte_timeout")
    assert_failed(pair, status=504, code="upstream_first_byte_timeout")


def test_u09_a_stall_in_a_stream_is_told_after_pings(pair: Pair) -> None:
    pair.first.reply(expect, send(stream_head() + chunk(role_event() + event("One"))), hold)
    response = pair.ask(stream=True)
    assert response.text == "One"
    assert json.loads(response.events[-1])["error"]["code"] == "upstream_idle_timeout"
    assert b": ping" in response.body
    assert b"[DONE]" not in response.body
    row = pair.row()
    assert (row["error_code"], row["usage_source"], row["output_tokens"]) == ("upstream_idle_timeout", "counted", 1)
    connection = pair.first.closed()
    assert connection is not None
    assert connection.closed_by == "peer"
    assert pair.second.requests == []


def test_u10_bytes_that_complete_no_event_are_no_progress(pair: Pair) -> None:
    drip = [chunk(bytes([byte])) for byte in event("two" * 40)]
    pair.first.reply(expect, send(stream_head() + chunk(role_event() + event("One"))), pace(drip, 0.1))
    response = pair.ask(stream=True)
    assert response.text == "One"
    assert json.loads(response.events[-1])["error"]["code"] == "upstream_idle_timeout"
    assert pair.row()["error_code"] == "upstream_idle_timeout"


def test_u11_a_half_closed_connection_is_closed_and_not_used_again(pair: Pair) -> None:
    pair.first.reply(expect, answer(), half_close, hold)
    pair.first.reply(expect, answer())
    assert pair.ask(pair.once).text == "Hello."
    connection = pair.first.closed()
    assert connection is not None
    assert connection.closed_by == "peer"
    assert pair.ask(pair.once).text == "Hello."
    assert [request.connection.number for request in pair.first.requests] == [0, 1]


def test_u11_a_half_close_in_a_stream_is_its_end(pair: Pair) -> None:
    gate = threading.Event()
    pair.first.reply(expect, send(stream_head() + chunk(role_event() + event("One"))), until(gate), half_close, hold)
    response = pair.cut(gate, ["One"])
    assert json.loads(response.events[-1])["error"]["code"] == "upstream_cut"
    assert pair.first.closed() is not None


@pytest.mark.parametrize(("status", "seen", "code"), [(413, 413, "too_long"), (401, 502, "upstream_auth")])
def test_u12_an_answer_before_the_body_is_sent_is_read(pair: Pair, status: int, seen: int, code: str) -> None:
    body = json.dumps({"error": {"message": "early", "type": "invalid_request_error", "code": "too_long"}}).encode()
    pair.first.reply(answer(body, status, connection="close"), half_close, hold)
    response = pair.ask(pair.once, messages=[{"role": "user", "content": "x" * 4_000_000}])
    assert (response.status, response.error["code"]) == (seen, code)


@pytest.mark.parametrize("spoil", [lambda body: body[:-12], lambda body: body[:-8] + b"\0\0\0\0" + body[-4:]])
def test_u18_spoilt_gzip_is_no_answer(pair: Pair, spoil: object) -> None:
    assert callable(spoil)
    spoilt = spoil(gzip.compress(chat_answer("x" * 2000)))
    pair.first.reply(expect, answer(spoilt, content_encoding="gzip"))
    assert pair.ask().text == "Hello."
    assert json.loads(pair.row()["attempt_log"])[0]["outcome"] in {"upstream_cut", "upstream_protocol"}


def test_u18_good_gzip_reaches_the_client_plain(pair: Pair) -> None:
    pair.first.reply(expect, answer(gzip.compress(chat_answer("Packed.")), content_encoding="gzip"))
    response = pair.ask()
    assert (response.text, "content-encoding" in response.headers) == ("Packed.", False)


def test_u18_gzip_that_ends_early_in_a_stream_is_a_cut(pair: Pair) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(role_event() + event("One")) + packer.flush(zlib.Z_SYNC_FLUSH)
    gate = threading.Event()
    pair.first.reply(expect, send(stream_head(content_encoding="gzip") + chunk(packed)), until(gate), send(LAST_CHUNK))
    response = pair.cut(gate, ["One"])
    assert json.loads(response.events[-1])["error"]["code"] == "upstream_cut"


@pytest.mark.parametrize("layers", ["gzip", "gzip, gzip"])
def test_u19_a_bomb_is_not_unpacked(pair: Pair, layers: str) -> None:
    bomb = gzip.compress(bytes(256 * 1024 * 1024), 9)
    packed = gzip.compress(bomb) if "," in layers else bomb
    pair.first.reply(expect, answer(packed, content_encoding=layers))
    before = pair.gateway.resident_bytes
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_protocol")
    assert pair.gateway.resident_bytes - before < 64 * 1024 * 1024
    assert_failed(pair, status=502, code="upstream_protocol")


@pytest.mark.parametrize(("size", "status"), [(MAX_ANSWER_BYTES, 200), (MAX_ANSWER_BYTES + 1, 502)])
@pytest.mark.parametrize("packed", [True, False])
def test_u19_answers_have_a_largest_size(pair: Pair, size: int, status: int, packed: bool) -> None:
    varied = "".join(f"{number} " for number in range(size // 8))
    body = chat_answer(varied)
    body = body[:-1] + b" " * (size - len(body)) + b"}"
    assert len(body) == size
    step = answer(gzip.compress(body), content_encoding="gzip") if packed else answer(body)
    pair.first.reply(expect, step)
    assert pair.ask(pair.once).status == status


def test_u20_bytes_beyond_the_length_are_no_answer_to_the_next(pair: Pair) -> None:
    evil = head(200, content_length="4") + b"evil"
    pair.first.reply(expect, send(head(200, content_type="application/json", content_length=str(len(chat_answer())))
                                  + chat_answer() + evil), hold)  # fmt: skip
    pair.first.reply(expect, answer(chat_answer("Next.")))
    assert pair.ask(pair.once).text == "Hello."
    assert pair.ask(pair.alone).text == "Next."
    assert pair.first.requests[-1].connection.number == 1


def test_u20_a_body_short_of_its_length_is_a_cut(pair: Pair) -> None:
    pair.first.reply(
        expect, send(head(200, content_type="application/json", content_length="9999") + chat_answer()), finish
    )
    assert pair.ask().text == "Hello."
    assert_fell_back(pair, because="upstream_cut")


FRAMINGS = {
    "length_and_chunked": b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "two_lengths": b"content-length: 5\r\ncontent-length: 6\r\n",
    "unknown_coding": b"transfer-encoding: xchunked\r\n",
    "bad_length": b"content-length: +5\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_u21_ambiguous_framing_is_refused(pair: Pair, framing: str) -> None:
    start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + FRAMINGS[framing] + b"\r\n"
    pair.first.reply(expect, send(start + chunk(chat_answer()) + LAST_CHUNK), hold)
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_protocol")
    connection = pair.first.closed()
    assert connection is not None
    assert connection.closed_by == "peer"


def test_u22_a_body_until_the_close_is_good_if_complete(pair: Pair) -> None:
    start = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n"
    pair.first.reply(expect, send(start + chat_answer()), finish)
    pair.first.reply(expect, send(start + chat_answer()[:-9]), finish)
    assert pair.ask(pair.once).text == "Hello."
    assert pair.ask().text == "Hello."
    assert pair.second.received()
    assert [request.connection.number for request in pair.first.requests] == [0, 1]


@pytest.mark.parametrize(("count", "status"), [(3, 200), (32, 200), (1000, 502)])
def test_u23_interim_answers_are_skipped_within_reason(pair: Pair, count: int, status: int) -> None:
    interim = b"".join(b"HTTP/1.1 %d X\r\n\r\n" % (100 + number % 4 % 3) for number in range(count))
    interim = interim.replace(b" 101 ", b" 103 ")
    pair.first.reply(expect, send(interim), answer())
    assert pair.ask(pair.once).status == status


def test_u24_an_unasked_upgrade_is_refused(pair: Pair) -> None:
    pair.first.reply(expect, send(head(101, connection="upgrade", upgrade="websocket") + b"\x81\x02hi"), hold)
    response = pair.ask(pair.once)
    assert (response.status, response.error["type"]) == (502, "upstream_error")
    assert pair.first.closed() is not None


def test_u24_an_unasked_answer_is_nobodys(pair: Pair) -> None:
    gate = threading.Event()
    pair.first.reply(expect, answer(), until(gate), answer(chat_answer("evil")), hold)
    pair.first.reply(expect, answer(chat_answer("Next.")))
    assert pair.ask(pair.once).text == "Hello."
    gate.set()
    assert pair.first.closed() is not None
    assert pair.ask(pair.once).text == "Next."


@pytest.mark.parametrize("status", [204, 205, 304])
def test_u25_an_answer_without_a_body_is_none(pair: Pair, status: int) -> None:
    pair.first.reply(expect, send(head(status)))
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_empty")
    assert pair.ask().text == "Hello."
    assert pair.row(2)["attempts"] == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_u26_redirects_are_not_followed(pair: Pair, status: int) -> None:
    location = f"{pair.second.base_url}/chat/completions"
    pair.first.reply(expect, answer(b"{}", status, location=location))
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_protocol")
    assert "location" not in response.headers
    assert pair.second.connections == []


HEADS = {
    "a_megabyte": (b"x-large: " + b"a" * 1024 * 1024 + b"\r\n", 502),
    "ten_thousand": (b"".join(b"x-%d: a\r\n" % number for number in range(10_000)), 502),
    "over_a_hundred": (b"".join(b"x-%d: a\r\n" % number for number in range(110)), 502),
    "ninety": (b"".join(b"x-%d: a\r\n" % number for number in range(90)), 200),
    "under_64_kib": (b"x-large: " + b"a" * 60 * 1024 + b"\r\n", 200),
    "folded": (b"x-a: b\r\n c\r\n", 502),
    "nul": (b"x-a: b\0c\r\n", 502),
}


@pytest.mark.parametrize("name", HEADS)
def test_u29_heads_have_limits(pair: Pair, name: str) -> None:
    headers, status = HEADS[name]
    body = chat_answer()
    start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    pair.first.reply(expect, send(start + headers + b"\r\n" + body), hold)
    response = pair.ask(pair.once)
    assert response.status == status
    if status == 502:
        assert response.error["code"] == "upstream_protocol"
        assert pair.first.closed() is not None


def test_u30_a_connection_closed_when_idle_is_not_used(pair: Pair) -> None:
    pair.first.reply(expect, answer(), finish)
    for number in range(20):
        assert pair.ask(pair.alone).text == "Hello."
        assert pair.first.closed(number) is not None
    assert len(pair.first.requests) == len(pair.first.connections) == 20


def test_u30_a_connection_closed_as_the_request_is_written_is_made_up_for(pair: Pair) -> None:
    pair.first.reply(expect, answer())
    pair.first.reply(reset)
    pair.first.reply(expect, answer(chat_answer("Again.")))
    assert pair.ask(pair.alone).text == "Hello."
    assert pair.ask(pair.alone).text == "Again."
    assert [request.connection.number for request in pair.first.requests] == [0, 0, 1]
    assert [row["status"] for row in pair.rows(2)] == [200, 200]


def test_leaving_clients_close_their_upstreams(pair: Pair) -> None:
    """The invariant of every fault: nothing is left behind. Twenty clients leave in the middle of a stream."""
    pair.first.reply(expect, send(stream_head() + chunk(role_event() + event("One"))), hold)
    for _ in range(20):
        with Client(pair.gateway.port) as client:
            client.chat(model=pair.alias, stream=True)
            client.read_head()
            client.abort()
    for number in range(20):
        connection = pair.first.closed(number)
        assert connection is not None
        assert connection.closed_by == "peer"
    rows = pair.rows(20)
    assert {row["error_code"] for row in rows} == {"client_closed_request"}
    assert DONE not in pair.first.connections[0].received
