"""What the gateway makes of what a client sends: C8 to C19 and C23.

Each test is named after its row in the catalogue of faults and runs on real sockets. What is refused leaves an error in
OpenAI's shape and a usage row, and the provider sees nothing of it.
"""

from __future__ import annotations

import gzip
import json

import pytest
from tests.gateway.client import chat_body, request_bytes
from tests.gateway.desk import BEARER, KEY, OTHER_KEY, Desk, error_of
from tests.gateway.upstream import LAST_CHUNK, Connection, answer, chat_answer, chunk, expect


def deep(levels: int) -> bytes:
    """A chat request whose JSON nests so deep."""
    inner = b"[" * (levels - 1) + b"]" * (levels - 1)
    return chat_body()[:-1] + b', "x": ' + inner + b"}"


BODIES: list[tuple[str, bytes, int, str]] = [
    ("C08 depth 128", deep(128), 200, ""),
    ("C08 depth 129", deep(129), 400, "too_deep"),
    ("C08 depth 60,000", b"[" * 60_000, 400, "too_deep"),
    ("C08 a thousand keys", chat_body(x={str(number): number for number in range(3000)}), 200, ""),
    ("C08 a long number", chat_body()[:-1] + b', "x": ' + b"9" * 60_000 + b"}", 400, "not_finite"),
    ("C08 a long fraction", chat_body()[:-1] + b', "x": 0.' + b"9" * 60_000 + b"}", 200, ""),
    ("C08 a long string", chat_body(x="y" * 60_000), 200, ""),
    ("C09 not UTF-8", chat_body()[:-1] + b', "x": "\xff\xfe"}', 400, "invalid_encoding"),
    ("C09 UTF-16", chat_body().decode().encode("utf-16"), 400, "invalid_encoding"),
    ("C09 UTF-32", chat_body().decode().encode("utf-32-le"), 400, "invalid_encoding"),
    ("C09 a byte order mark", b"\xef\xbb\xbf" + chat_body(), 200, ""),
    ("C09 half a surrogate pair", chat_body()[:-1] + rb', "x": "\ud800"}', 400, "invalid_encoding"),
    ("C09 NUL in a key", chat_body()[:-1] + rb', "\u0000x": 1}', 400, "invalid_encoding"),
    ("C09 NUL in the model", chat_body(model="chat\0"), 400, "invalid_encoding"),
    ("C10 a key twice", b'{"model": "chat",' + chat_body()[1:], 400, "duplicate_key"),
    ("C10 a key twice, escaped", rb'{"\u006dodel": "other",' + chat_body()[1:], 400, "duplicate_key"),
    ("C10 messages twice", chat_body()[:-1] + b', "messages": []}', 400, "duplicate_key"),
    ("C10 a key twice, within", chat_body()[:-1] + b', "x": [{"a": 1, "b": 2, "a": 3}]}', 400, "duplicate_key"),
    ("C11 NaN", chat_body()[:-1] + b', "temperature": NaN}', 400, "not_finite"),
    ("C11 Infinity", chat_body()[:-1] + b', "temperature": Infinity}', 400, "not_finite"),
    ("C11 1e999", chat_body()[:-1] + b', "temperature": 1e999}', 400, "not_finite"),
    ("C11 minus nought", chat_body()[:-1] + b', "temperature": -0}', 200, ""),
    ("C11 tokens below nought", chat_body(max_tokens=-1), 400, "invalid_value"),
    ("C11 tokens as text", chat_body(max_tokens="5"), 400, "invalid_value"),
    ("C11 tokens as true", chat_body(max_tokens=True), 400, "invalid_value"),
    ("C11 stream as text", chat_body(stream="yes"), 400, "invalid_value"),
    ("C11 many tokens", chat_body(max_tokens=10**9), 200, ""),
    ("C23 unknown parameters", chat_body(unheard_of={"a": [1]}, functions=[], function_call="none"), 200, ""),
    ("C23 stream options without a stream", chat_body(stream_options={"include_usage": True}), 200, ""),
]


@pytest.mark.parametrize(("name", "body", "status", "code"), BODIES, ids=[name for name, *_ in BODIES])
def test_c08_to_c11_and_c23_bodies(desk: Desk, name: str, body: bytes, status: int, code: str) -> None:
    response = desk.post(body)
    assert response.status == status, response.body[:500]
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"]) == (status, code)
    if code:
        assert error_of(response) == code
        assert desk.requests() == []


def test_c11_the_field_at_fault_is_named(desk: Desk) -> None:
    assert desk.post(chat_body(max_tokens=-1)).error["param"] == "max_tokens"
    response = desk.post(chat_body()[:-1] + b', "a": {"b": [1, 1e999]}}')
    assert response.error["param"] == "a.b[1]"


def test_c11_and_c23_what_is_not_changed_is_sent_as_it_came(desk: Desk) -> None:
    body = b'{"x" : 9007199254740993, "y":1.10, "model":"chat", "z":-0.0, "e":1E5, "messages": [ ], "u": "\\u00e9\\/"}'
    assert desk.post(body).status == 200
    (sent,) = desk.received()
    assert sent.body == body.replace(b'"chat"', b'"gpt-4o-mini"')


def pipelined(count: int) -> bytes:
    return b"".join(
        request_bytes("POST", "/v1/chat/completions", chat_body(user=str(number)), **BEARER) for number in range(count)
    )


def test_c12_pipelined_requests_are_answered_in_order(desk: Desk) -> None:
    def echo(connection: Connection) -> None:
        assert connection.request is not None
        answer(chat_answer(connection.request.json["user"]))(connection)

    desk.play(expect, echo)
    with desk.client() as client:
        client.send(pipelined(100))
        texts = [client.read().text for _ in range(100)]
    assert texts == [str(number) for number in range(100)]
    assert len({row["request_id"] for row in desk.rows(100)}) == 100


def test_c12_each_of_them_shows_its_key(desk: Desk) -> None:
    good = request_bytes("POST", "/v1/chat/completions", chat_body(), **BEARER)
    bad = request_bytes("POST", "/v1/chat/completions", chat_body())
    assert [response.status for response in desk.raw(good + bad + good)][:2] == [200, 401]


def test_c12_after_an_error_of_framing_nothing_is_read(desk: Desk) -> None:
    bad = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n"
    responses = desk.raw(bad + request_bytes("POST", "/v1/chat/completions", chat_body(), **BEARER))
    assert [response.status for response in responses] in ([400], [501], [])
    assert desk.requests() == []


SMUGGLED = request_bytes("POST", "/v1/chat/completions", chat_body(), **BEARER)
AUTH = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n".encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + AUTH
LENGTH = b"content-length: %d\r\n" % len(chat_body())
CHUNKED = b"transfer-encoding: chunked\r\n"
FRAMED = chunk(chat_body()) + LAST_CHUNK
AMBIGUOUS: dict[str, bytes] = {
    "CL.TE": POST + LENGTH + CHUNKED + b"\r\n" + LAST_CHUNK + SMUGGLED,
    "TE.TE": POST + CHUNKED + b"transfer-encoding: identity\r\n\r\n" + FRAMED,
    "TE obfuscated": POST + b"transfer-encoding: x, chunked, x\r\n\r\n" + FRAMED,
    "two lengths": POST + LENGTH + b"content-length: 5\r\n\r\n" + chat_body(),
    "a length with a sign": POST + b"content-length: +%d\r\n\r\n" % len(chat_body()) + chat_body(),
    "a list of lengths": POST + b"content-length: %d,%d\r\n\r\n" % (len(chat_body()), 5) + chat_body(),
    "a length below nought": POST + b"content-length: -1\r\n\r\n" + chat_body(),
    "a space before the colon": POST + b"content-length : %d\r\n\r\n" % len(chat_body()) + chat_body(),
    "a folded header": POST + b"x-a: b\r\n c\r\n" + LENGTH + b"\r\n" + chat_body(),
    "a bad chunk size": POST + CHUNKED + b"\r\n0x5\r\nhello\r\n" + LAST_CHUNK,
    "a huge chunk size": POST + CHUNKED + b"\r\nFFFFFFFFFFFFFFFFF\r\nhello\r\n" + LAST_CHUNK,
    "a NUL in a header": POST + b"x-a: b\0c\r\n" + LENGTH + b"\r\n" + chat_body(),
    "a NUL in a name": POST + b"x\0a: b\r\n" + LENGTH + b"\r\n" + chat_body(),
    "a bad version": POST.replace(b"HTTP/1.1", b"HTTP/1.1x") + LENGTH + b"\r\n" + chat_body(),
    "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "chunks cut off": POST + CHUNKED + b"\r\n" + chunk(chat_body()) + b"zz\r\n",
}


UNANSWERED = {"HTTP/2 without TLS"}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_c13_what_can_be_read_in_two_ways_is_refused(desk: Desk, name: str) -> None:
    responses = desk.raw(AMBIGUOUS[name])
    assert [response.status for response in responses] == ([] if name in UNANSWERED else [400])
    assert desk.requests() == []


def test_c13_chunks_are_read_as_such_whatever_length_is_said_after(desk: Desk) -> None:
    """The HTTP library drops such a length unseen. What is sent on is framed anew, so nothing is read in two ways."""
    responses = desk.raw(POST + CHUNKED + b"content-length: 4\r\n\r\n" + FRAMED)
    assert [response.status for response in responses] == [200]
    (sent,) = desk.requests()
    assert sent.headers["content-length"] == str(len(sent.body))
    assert "transfer-encoding" not in sent.headers


def test_c13_bare_line_feeds_do_not_hide_a_request(desk: Desk) -> None:
    responses = desk.raw((POST + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + chat_body())
    assert len(responses) <= 1
    assert len(desk.requests()) == len([one for one in responses if one.status == 200])


def test_c13_an_upgrade_is_not_made(desk: Desk) -> None:
    upgrade = POST + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n" + LENGTH + b"\r\n"
    responses = desk.raw(upgrade + chat_body())
    assert [response.status for response in responses] == [400]
    assert desk.requests() == []


def test_c13_the_host_of_an_absolute_target_means_nothing(desk: Desk) -> None:
    target = POST.replace(b"/v1/chat", b"http://evil.test/v1/chat") + LENGTH + b"\r\n"
    responses = desk.raw(target + chat_body())
    assert [response.status for response in responses] in ([200], [404])
    for sent in desk.requests():
        assert sent.headers["host"] == f"127.0.0.1:{desk.upstream.port}"


@pytest.mark.parametrize("model", ["up0/a\r\nx-evil: 1", "up0/a\nb", "up0/a\x7f", "up0/é模", "up0/" + "m" * 500])
def test_c14_a_model_s_name_makes_no_header(desk: Desk, model: str) -> None:
    response = desk.post(chat_body(model=model))
    assert response.status == 200
    assert "x-evil" not in response.headers
    assert b"\nx-evil" not in repr(response.headers).encode()
    (sent,) = desk.received()
    assert sent.json["model"] == model.removeprefix("up0/")
    assert "x-evil" not in sent.headers
    assert desk.rows(1)[0]["model"] == model.removeprefix("up0/")


def test_c14_what_is_said_in_headers_goes_nowhere_else(desk: Desk) -> None:
    said = {"x-dragoman-end-user": "u\tv", "x-dragoman-tags": "a,b", "x-dragoman-metadata": '{"a": "\\r\\nx-evil: 1"}'}
    response = desk.chat(headers=said)
    assert response.status == 200
    (sent,) = desk.received()
    assert not any(name.startswith("x-") for name in sent.headers)
    assert json.loads(desk.rows(1)[0]["metadata"]) == {"a": "\r\nx-evil: 1"}


def test_c15_who_the_client_says_it_is_means_nothing(desk: Desk) -> None:
    said = {
        "host": "admin.internal",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "evil.test",
        "x-real-ip": "127.0.0.1",
        "forwarded": "for=127.0.0.1",
        "x-original-url": "/metrics",
        "x-rewrite-url": "/metrics",
        "x-http-method-override": "GET",
    }
    response = desk.chat(headers=said)
    assert (response.status, response.body) == (200, chat_answer())
    (sent,) = desk.received()
    assert sent.headers["host"] == f"127.0.0.1:{desk.upstream.port}"
    assert sent.headers.keys() & (said.keys() - {"host"}) == set()
    assert b"evil.test" not in response.body


PATHS = [
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/%2e%2e/metrics",
    "/v1/chat/completions/../../../metrics",
    "/v1/./chat/completions",
    "/v1/chat/completions;x=1",
    "/v1/chat%252fcompletions",
    "/V1/chat/completions",
    "/v1\\chat\\completions",
    "/rehearsal/v1/chat/completions",
]


@pytest.mark.parametrize("path", PATHS)
def test_c16_an_unusual_path_is_none_of_ours(desk: Desk, path: str) -> None:
    with desk.client() as client:
        client.send(request_bytes("POST", path, chat_body(), **BEARER))
        response = client.read()
    assert response.status in {400, 404}
    assert b"dragoman_in_flight" not in response.body
    assert [sent.path for sent in desk.requests()] in ([], [f"{path}"])


@pytest.mark.parametrize("path", ["/v1/chat/completions.", "/v1/chat/completions/", "/v1/CHAT/completions"])
def test_c16_what_is_not_ours_is_passed_on_as_it_stands_with_key_and_row(desk: Desk, path: str) -> None:
    assert desk.first(request_bytes("POST", path, chat_body())).status == 401
    assert desk.first(request_bytes("POST", path, chat_body(), **BEARER)).status == 200
    (sent,) = desk.requests()
    assert sent.path == path
    (row,) = desk.rows(1)
    assert row["endpoint"].startswith("/")
    assert (row["status"], row["input_tokens"], row["key_id"] != "") == (200, 9, True)


@pytest.mark.parametrize("path", ["/v1/%63hat/completions", "/v1/chat%2fcompletions"])
def test_c16_what_is_escaped_is_authorised_as_what_it_is(desk: Desk, path: str) -> None:
    assert desk.first(request_bytes("POST", path, chat_body())).status == 401
    assert desk.first(request_bytes("POST", path, chat_body(), **BEARER)).status == 200
    assert desk.rows(1)[0]["endpoint"] == "chat"


def test_c17_a_bad_key_is_refused_before_the_body_is_asked_for(desk: Desk) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 50000\r\n\r\n"
    with desk.client() as client:
        client.send(head)
        response = client.read()
        assert client.closed()
    assert (response.status, error_of(response)) == (401, "invalid_api_key")


def test_c17_a_good_one_is_asked_for_its_body(desk: Desk) -> None:
    body = chat_body()
    with desk.client() as client:
        client.send(POST + LENGTH + b"expect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send(body)
        assert client.read().status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "unheard-of", "gzip, gzip"])
def test_c18_a_compressed_body_is_refused(desk: Desk, encoding: str) -> None:
    response = desk.post(gzip.compress(b" " * 1_000_000), content_encoding=encoding)
    assert (response.status, error_of(response)) == (415, "unsupported_media_type")
    assert desk.rows(1)[0]["status"] == 415


def test_c19_two_keys_are_refused(desk: Desk) -> None:
    both = f"authorization: Bearer {KEY}\r\n"
    for second in (
        f"authorization: Bearer {OTHER_KEY}\r\n",
        f"x-api-key: {OTHER_KEY}\r\n",
        f"api-key: {OTHER_KEY}\r\n",
    ):
        for pair in (both + second, second + both):
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{pair}content-length: 2\r\n\r\n{{}}"
            response = desk.first(head.encode())
            assert (response.status, error_of(response)) == (400, "ambiguous_key")
            assert KEY.encode() not in response.body
    assert desk.chat(headers={"x-api-key": KEY}).status == 200
