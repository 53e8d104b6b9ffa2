"""What the server makes of requests that are odd, can be read in two ways, or are none at all.

Each is followed by another request on its connection. What came of both has one of five names, and each row of the
tables says which are right; no other is. Above all no part of a request is ever answered as a request of its own.
"""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.desk import BEARER, Desk
from tests.gateway.upstream import LAST_CHUNK, answer, chunk, expect
from tests.server.front import CHAT, body_of, everything, nowhere, plain, streamed, told

CONTENT = "Which way?"
BODY = body_of(CONTENT)
FRAMED = chunk(BODY) + LAST_CHUNK
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

SERVED = "served"  # answered as it was meant
REFUSED = "refused"  # told that it is wrong, and the connection closed
TOLD = "told"  # told that it is wrong, and the next answered
CLOSED = "closed"  # closed without a word
ODD = {SERVED, REFUSED}  # no harm in either
WRONG = {TOLD, REFUSED}
ALIEN = {REFUSED, CLOSED}

POST = f"POST {CHAT} HTTP/1.1".encode()
HOST = b"host: x"
KEY = f"authorization: {BEARER['authorization']}".encode()
TYPE = b"content-type: application/json"
LENGTH = b"content-length: %d" % len(BODY)
LONGER = b"content-length: %d" % len(BODY + SMUGGLED)
CHUNKED = b"transfer-encoding: chunked"


def request(first: bytes, *fields: bytes, body: bytes = BODY) -> bytes:
    return b"\r\n".join([first, *fields, b"", body])


def post(*fields: bytes, body: bytes = BODY) -> bytes:
    """A chat request with these fields beside the usual ones, which name no length."""
    return request(POST, HOST, KEY, TYPE, *fields, body=body)


Case = tuple[set[str], bytes]

LENGTHS: dict[str, Case] = {
    "two alike": (ODD, post(LENGTH, LENGTH)),
    "two that differ": ({REFUSED}, post(LENGTH, LONGER, body=BODY + SMUGGLED)),
    "two that differ, the longer first": ({REFUSED}, post(LONGER, LENGTH, body=BODY + SMUGGLED)),
    "a list of two alike": (ODD, post(LENGTH + b", %d" % len(BODY))),
    "a list of two that differ": ({REFUSED}, post(LENGTH + b", %d" % (len(BODY + SMUGGLED)), body=BODY + SMUGGLED)),
    "below nought": ({REFUSED}, post(b"content-length: -%d" % len(BODY))),
    "with a sign": ({REFUSED}, post(b"content-length: +%d" % len(BODY))),
    "with an exponent": ({REFUSED}, post(b"content-length: 1e3")),
    "with a point": ({REFUSED}, post(b"content-length: %d.0" % len(BODY))),
    "in hexadecimal": ({REFUSED}, post(b"content-length: 0x%x" % len(BODY))),
    "two numbers in one": ({REFUSED}, post(b"content-length: 1 2")),
    "in digits of another script": ({REFUSED}, post("content-length: ٥".encode())),
    "nothing": ({REFUSED}, post(b"content-length:")),
    "in quotes": ({REFUSED}, post(b'content-length: "%d"' % len(BODY))),
    "2^31": ({REFUSED}, post(b"content-length: 2147483648")),
    "2^63": ({REFUSED}, post(b"content-length: 9223372036854775808")),
    "2^64 - 1": ({REFUSED}, post(b"content-length: 18446744073709551615")),
    "2^64, and what it would wrap to": ({REFUSED}, post(b"content-length: %d" % (2**64 + len(BODY)))),
    "very long": ({REFUSED}, post(b"content-length: " + b"9" * 300)),
    "with noughts before": (ODD, post(b"content-length: 000%d" % len(BODY))),
    "with tabs about": (ODD, post(b"content-length:\t%d\t" % len(BODY))),
    "with a space before the colon": ({REFUSED}, post(b"content-length : %d" % len(BODY))),
    "in an odd spelling": ({SERVED}, post(b"cOnTeNt-LeNgTh:%d" % len(BODY))),
    "by a name that is only like it": (WRONG, post(b"content_length: %d" % len(SMUGGLED), body=b"")),
    "none, and no body": (WRONG, post(body=b"")),
    "nought": (WRONG, post(b"content-length: 0", body=b"")),
}

CODINGS: dict[str, Case] = {
    "a length before": ({REFUSED}, post(LENGTH, CHUNKED, body=LAST_CHUNK + SMUGGLED)),
    "a right length before": (ODD, post(b"content-length: %d" % len(FRAMED), CHUNKED, body=FRAMED)),
    "a length after": (ODD, post(CHUNKED, b"content-length: 4", body=FRAMED)),
    "in capitals": (ODD, post(b"Transfer-Encoding: CHUNKED", body=FRAMED)),
    "twice in a list": (ODD, post(CHUNKED + b", chunked", body=FRAMED)),
    "twice": (ODD, post(CHUNKED, CHUNKED, body=FRAMED)),
    "after another": (ODD, post(b"transfer-encoding: gzip, chunked", body=FRAMED)),
    "before another": ({REFUSED}, post(b"transfer-encoding: chunked, gzip", body=FRAMED)),
    "before identity": ({REFUSED}, post(CHUNKED, b"transfer-encoding: identity", body=FRAMED)),
    "identity": ({REFUSED}, post(b"transfer-encoding: identity", body=FRAMED)),
    "identity and a length": (ODD, post(LENGTH, b"transfer-encoding: identity")),
    "of an unknown name": ({REFUSED}, post(b"transfer-encoding: xchunked", body=FRAMED)),
    "after a control character": ({REFUSED}, post(b"transfer-encoding: \x0bchunked", body=FRAMED)),
    "nothing": ({REFUSED}, post(b"transfer-encoding:", body=FRAMED)),
    "nothing, and a length": ({REFUSED}, post(LENGTH, b"transfer-encoding:")),
    "with a space before the colon": ({REFUSED}, post(b"transfer-encoding : chunked", body=FRAMED)),
    "folded": ({REFUSED}, post(b"transfer-encoding:\r\n chunked", body=FRAMED)),
    "in quotes": ({REFUSED}, post(b'transfer-encoding: "chunked"', body=FRAMED)),
    "with a parameter": ({REFUSED}, post(CHUNKED + b";a=b", body=FRAMED)),
    "in HTTP/1.0": ({REFUSED}, post(CHUNKED, body=FRAMED).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "chunks with extensions": ({SERVED}, post(CHUNKED, body=b"%x;a=b\r\n%b\r\n" % (len(BODY), BODY) + LAST_CHUNK)),
    "chunks with a trailer": (ODD | WRONG, post(CHUNKED, body=chunk(BODY) + b"0\r\nx-a: b\r\n\r\n")),
    "sizes with spaces after": (ODD, post(CHUNKED, body=b"%x  \r\n%b\r\n" % (len(BODY), BODY) + LAST_CHUNK)),
    "sizes with noughts before": (ODD, post(CHUNKED, body=b"000%x\r\n%b\r\n" % (len(BODY), BODY) + LAST_CHUNK)),
    "sizes in capitals": ({SERVED}, post(CHUNKED, body=b"%X\r\n%b\r\n" % (len(BODY), BODY) + LAST_CHUNK)),
    "sizes below nought": ({REFUSED}, post(CHUNKED, body=b"-1\r\n" + BODY + b"\r\n" + LAST_CHUNK)),
    "sizes with 0x": ({REFUSED}, post(CHUNKED, body=b"0x%x\r\n%b\r\n" % (len(BODY), BODY) + LAST_CHUNK)),
    "sizes that overflow": ({REFUSED}, post(CHUNKED, body=b"F" * 17 + b"\r\n" + BODY)),
    "no size": ({REFUSED}, post(CHUNKED, body=b"\r\n" + BODY + b"\r\n" + LAST_CHUNK)),
    "nothing after a chunk": ({REFUSED}, post(CHUNKED, body=b"%x\r\n%bXX" % (len(BODY), BODY) + LAST_CHUNK)),
    "bare line feeds": ({REFUSED}, post(CHUNKED, body=FRAMED.replace(b"\r\n", b"\n"))),
}

FIELDS: dict[str, Case] = {
    "folded": ({REFUSED}, post(LENGTH, b"x-a: b\r\n c")),
    "folded by a tab": ({REFUSED}, post(LENGTH, b"x-a: b\r\n\tc")),
    "folded at once": ({REFUSED}, request(POST, b" x-a: b", HOST, KEY, TYPE, LENGTH)),
    "a carriage return within": ({REFUSED}, post(LENGTH, b"x-a: b\rc")),
    "a carriage return between": ({REFUSED}, post(LENGTH, b"x-a: b\rcontent-length: 1")),
    "two carriage returns": ({REFUSED}, post(LENGTH, b"x-a: b\r")),
    "a line feed between": (ODD, post(LENGTH, b"x-a: b\nx-c: d")),
    "line feeds alone": (ODD, post(LENGTH, body=b"").replace(b"\r\n", b"\n") + BODY),
    "a NUL in a value": ({REFUSED}, post(LENGTH, b"x-a: b\0c")),
    "a NUL in a name": ({REFUSED}, post(LENGTH, b"x\0a: b")),
    "a control character": ({REFUSED}, post(LENGTH, b"x-a: \x01")),
    "DEL": ({REFUSED}, post(LENGTH, b"x-a: \x7f")),
    "bytes beyond ASCII": (ODD, post(LENGTH, b"x-a: \xe9\xff")),
    "bytes beyond ASCII in a name": ({REFUSED}, post(LENGTH, b"x-\xe9: a")),
    "no value": ({SERVED}, post(LENGTH, b"x-a:")),
    "a tab in a value": ({SERVED}, post(LENGTH, b"x-a: b\tc")),
    "no name": ({REFUSED}, post(LENGTH, b": b")),
    "no colon": ({REFUSED}, post(LENGTH, b"x-a")),
    "a space before the colon": ({REFUSED}, post(LENGTH, b"x-a : b")),
    "a space in a name": ({REFUSED}, post(LENGTH, b"x a: b")),
    "a bracket in a name": ({REFUSED}, post(LENGTH, b"x(a: b")),
    "no host": (ODD, request(POST, KEY, TYPE, LENGTH)),
    "an empty host": (ODD, request(POST, b"host:", KEY, TYPE, LENGTH)),
    "two hosts": (ODD, post(LENGTH, b"host: y")),
    "a bad host": (ODD, request(POST, b"host: a b/@", KEY, TYPE, LENGTH)),
    "an upgrade to HTTP/2": (ODD, post(LENGTH, b"connection: upgrade, http2-settings", b"upgrade: h2c")),
    "an upgrade to something unheard of": (ODD, post(LENGTH, b"connection: upgrade", b"upgrade: unheard-of")),
    "something else expected": (ODD, post(LENGTH, b"expect: 200-ok")),
}


def line(first: bytes) -> bytes:
    return request(first, HOST, KEY, TYPE, LENGTH)


FIRST_LINES: dict[str, Case] = {
    "an absolute target": ({SERVED}, line(f"POST http://evil.test{CHAT} HTTP/1.1".encode())),
    "an asterisk": (WRONG, line(b"OPTIONS * HTTP/1.1")),
    "a relative target": (WRONG, line(b"POST v1/chat/completions HTTP/1.1")),
    "no target": ({REFUSED}, line(b"POST HTTP/1.1")),
    "a space in the target": ({REFUSED}, line(b"POST /v1/chat completions HTTP/1.1")),
    "a NUL in the target": ({REFUSED}, line(b"POST /v1\0/chat/completions HTTP/1.1")),
    "Latin-1 in the target": ({REFUSED}, line(b"POST /v\xe9/chat/completions HTTP/1.1")),
    "UTF-8 in the target": (WRONG, line("POST /v1é/chat/completions HTTP/1.1".encode())),
    "a bad escape": (WRONG, line(b"POST /v1%zz/chat/completions HTTP/1.1")),
    "a query": ({SERVED}, line(POST.replace(b" HTTP", b"?a=b HTTP"))),
    "CONNECT": (WRONG, line(b"CONNECT evil.test:443 HTTP/1.1")),
    "CONNECT, with a path": (WRONG, line(b"CONNECT /healthz HTTP/1.1")),
    "TRACE": (WRONG, line(b"TRACE /healthz HTTP/1.1")),
    "a method in small letters": (WRONG, line(POST.replace(b"POST", b"post"))),
    "a method unheard of": (WRONG, line(POST.replace(b"POST", b"FOO"))),
    "another method": (WRONG, line(POST.replace(b"POST", b"PUT"))),
    "no method": ({REFUSED}, line(POST.replace(b"POST", b""))),
    "two spaces": ({REFUSED}, line(POST.replace(b" ", b"  "))),
    "tabs": ({REFUSED}, line(POST.replace(b" ", b"\t"))),
    "a space after": ({REFUSED}, line(POST + b" ")),
    "a space before": ({REFUSED}, line(b" " + POST)),
    "a carriage return before": ({REFUSED}, line(b"\r" + POST)),
    "empty lines before": (ODD, line(b"\r\n\r\n" + POST)),
    "an empty line after the body": ({SERVED}, line(POST) + b"\r\n"),
    "HTTP/1.2": ({REFUSED}, line(POST.replace(b"1.1", b"1.2"))),
    "HTTP/2.0": ({REFUSED}, line(POST.replace(b"1.1", b"2.0"))),
    "HTTP/11": ({REFUSED}, line(POST.replace(b"1.1", b"11"))),
    "HTTP/1.1x": ({REFUSED}, line(POST + b"x")),
    "http/1.1": ({REFUSED}, line(POST.replace(b"HTTP", b"http"))),
    "HTTP/1.0": ({SERVED}, line(POST.replace(b"1.1", b"1.0"))),
    "HTTP/0.9": (ALIEN, f"GET {CHAT}\r\n\r\n".encode()),
}

ALIENS: dict[str, Case] = {
    "a hello of TLS": (ALIEN, bytes.fromhex("1603010200010001fc0303") + bytes(range(256)) * 2),
    "a hello of SSL 2": (ALIEN, bytes.fromhex("802e0100020015000000") + b"x" * 36),
    "HTTP/2 where it is not spoken": (ALIEN, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "an answer": (ALIEN, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    "SSH": (ALIEN, b"SSH-2.0-OpenSSH_9\r\n"),
    "a proxy's first line": (ALIEN, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    "a proxy's, version 2": (ALIEN, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"a" * 12),
    "Redis": (ALIEN, b"*1\r\n$4\r\nPING\r\n"),
    "JSON": (ALIEN, BODY),
    "NULs": (ALIEN, bytes(1000)),
    "bytes beyond ASCII": (ALIEN, b"\x80\xff" * 1000),
}

TABLES = {"length": LENGTHS, "coding": CODINGS, "field": FIELDS, "first line": FIRST_LINES, "alien": ALIENS}
CASES = {f"{kind}: {name}": case for kind, table in TABLES.items() for name, case in table.items()}


def came_of(client: Client, data: bytes) -> str:
    """What came of bytes and of the request after them, by its name."""
    after = nowhere(connection="close")
    with contextlib.suppress(ConnectionError):
        client.send(data + after.data)
    answers = everything(client)
    assert all(response.complete and b"smuggled" not in response.body for response in answers), answers
    if not answers:
        return CLOSED
    first, *rest = answers
    assert after.said not in first.body.decode(), "what is answered is not the first"
    if rest:
        assert [(one.status, after.said in one.body.decode()) for one in rest] == [(404, True)], rest
    if first.status == 200:
        assert first.text == told(CONTENT)
        return SERVED
    assert 400 <= first.status < 500, first
    return TOLD if rest else REFUSED


@pytest.mark.parametrize("name", CASES)
def test_what_is_odd_is_served_or_refused_and_never_two_things(desk: Desk, name: str) -> None:
    right, data = CASES[name]
    with desk.client() as client:
        found = came_of(client, data)
    assert found in right
    assert len(desk.requests()) == (found == SERVED)


@pytest.mark.parametrize("name", [name for name, (right, _) in CASES.items() if right == {REFUSED}])
def test_what_is_refused_is_refused_on_a_connection_that_was_good(desk: Desk, name: str) -> None:
    _, data = CASES[name]
    with desk.client() as client:
        for before in (plain(), streamed()):
            client.send(before.data)
            before.check(client)
        assert came_of(client, data) == REFUSED
    assert len(desk.requests()) == 2


UNREAD: dict[str, bytes] = {
    "a GET": b"GET /healthz HTTP/1.1",
    "a HEAD": b"HEAD /nowhere HTTP/1.1",
    "a path that is not there": b"POST /nowhere HTTP/1.1",
    "a method that is not taken": f"PUT {CHAT} HTTP/1.1".encode(),
    "a client without a key": POST,
}


@pytest.mark.parametrize("count", [1, 100, 10_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("name", UNREAD)
def test_a_body_that_nobody_reads_is_not_a_request(desk: Desk, name: str, framing: str, count: int) -> None:
    """It is read over, or the connection is closed."""
    body, after = SMUGGLED * count, nowhere(connection="close")
    field = CHUNKED if framing == "chunks" else b"content-length: %d" % len(body)
    framed = chunk(body) + LAST_CHUNK if framing == "chunks" else body
    with desk.client() as client:
        with contextlib.suppress(ConnectionError):
            client.send(request(UNREAD[name], HOST, field, body=framed) + after.data)
        first = client.read_head()
        first.body = b"" if name == "a HEAD" else b"".join(client.parts(first))
        rest = everything(client)
    assert first.status == 200 if name == "a GET" else 400 < first.status < 500
    assert [one.status for one in rest] in ([], [404])
    assert all(after.said in one.body.decode() for one in rest)


def test_a_client_of_http_1_0_is_kept_only_where_it_asks(desk: Desk) -> None:
    asking = plain(connection="keep-alive")
    with desk.client() as client:
        client.send(asking.data.replace(b"HTTP/1.1", b"HTTP/1.0"))
        if asking.check(client).headers.get("connection", "").lower() == "keep-alive":
            after = nowhere()
            client.send(after.data)
            after.check(client)
        else:
            assert client.closed()


def test_a_client_of_http_1_0_is_sent_no_chunks(desk: Desk) -> None:
    asking = streamed()
    with desk.client() as client:
        client.send(asking.data.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert "transfer-encoding" not in asking.check(client).headers
        assert client.closed()


# Heads that chance has spoilt.


MARKS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b",", b"\t", b"chunked", b"0", b"%", b"\xff", b"HTTP/1.0", b"close"]
FIELDS_TO_ADD = [LENGTH, b"content-length: 3", CHUNKED, b"expect: 100-continue", b"connection: close", b"host: y"]


def spoilt(chance: random.Random, head: bytes) -> bytes:
    """A head with up to four changes."""
    found = bytearray(head)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(found))
        match chance.randrange(5):
            case 0:
                found[place] = chance.randrange(256)
            case 1:
                del found[place : place + chance.choice([1, 1, 2, 10])]
            case 2:
                found[place:place] = chance.choice(MARKS)
            case 3:
                found[place:place] = b"\r\n" + chance.choice(FIELDS_TO_ADD) + b"\r\n"
            case _:
                ends = found.find(b"\r\n", place)
                found[ends:ends] = bytes(found[place:ends])
    return bytes(found)


def answers_by(client: Client, until_s: float) -> list[Response]:
    """What is answered until the connection ends or, once something was, until then."""
    found: list[Response] = []
    with contextlib.suppress(ConnectionError):
        while True:
            if found:
                client.socket.settimeout(max(until_s - time.monotonic(), 0.01))
            try:
                response = client.read_head()
            except TimeoutError:
                assert found, "it hangs"
                return found
            response.body = b"".join(client.parts(response)) if response.status >= 200 else b""
            found.append(response)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_heads_that_chance_has_spoilt_do_no_harm(brisk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    brisk.play(expect, answer())
    heads = [post(LENGTH, body=b""), post(CHUNKED, body=b"")]
    framed = [BODY, FRAMED]
    with contextlib.ExitStack() as stack:
        sent = []
        for number in range(80):
            before, kind = number % 3 == 0, number % 2
            client = stack.enter_context(brisk.client())
            data = spoilt(chance, heads[kind]) + framed[kind]
            place = chance.randrange(len(data)) if chance.random() < 0.3 else 0
            with contextlib.suppress(ConnectionError):
                client.send((plain().data if before else b"") + data[:place])
                client.send(data[place:])
            sent.append((client, before, data))
        until_s = time.monotonic() + 4
        for client, before, data in sent:
            answers = answers_by(client, until_s)
            assert all(response.status < 500 for response in answers), (data, answers)
            assert len(answers) <= 4, (data, answers)
            if before:
                assert (answers[0].status, answers[0].complete) == (200, True), (data, answers)
    brisk.at_rest()
    with brisk.client() as client:
        client.send(plain().data)
        assert client.read().status == 200
