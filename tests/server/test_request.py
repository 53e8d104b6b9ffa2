from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from tests.served import Protocol

from dragoman.config.schema import Limits
from dragoman.core import Reply
from dragoman.driver import Driver
from dragoman.errors import BodyTooLarge, ClientGone, InvalidRequest, RequestError, RequestTimeout
from dragoman.server.request import GRACE_S, ONE_PIECE_BYTES, Request, declared_length, read_body

LIMIT = 200_000
LIMITS = Limits(max_body_bytes=LIMIT, body_timeout_s=30, body_min_bytes_s=1024)


class Reading:
    """The reading of a body, under way."""

    def __init__(self, body: bytes | list[bytes] | None, headers: dict[str, str], limits: Limits = LIMITS) -> None:
        self.protocol = Protocol(body)
        proto: Any = self.protocol
        self.request = Request("req_1", proto, Reply(proto, ""))
        self.request.headers = headers
        self.body: bytes | None = None
        self.error: BaseException | None = None
        self.limits = limits
        loop: Any = None
        Driver(self._read(), None, loop).start()

    async def _read(self) -> None:
        try:
            self.body = await read_body(self.request, self.limits)
        except RequestError as error:
            self.error = error
        assert (self.request.stage, self.request.reading) == ("accepted", None)


def of_length(body: bytes, length: int | None = None) -> Reading:
    return Reading(body, {"content-length": str(len(body) if length is None else length)})


def chunked(*pieces: bytes) -> Reading:
    return Reading(list(pieces), {"transfer-encoding": "chunked"})


@pytest.mark.parametrize("size", [1, ONE_PIECE_BYTES, ONE_PIECE_BYTES + 1, LIMIT - 1, LIMIT])
def test_a_body_within_the_limit_is_read(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    assert of_length(body[:size]).body == body[:size]
    half = size // 2
    assert chunked(*filter(None, [body[:half], body[half:size]])).body == body[:size]


@pytest.mark.parametrize("headers", [{}, {"content-length": "0"}, {"content-type": "application/json"}])
def test_no_body_is_not_waited_for(headers: dict[str, str]) -> None:
    assert Reading(None, headers).body == b""


@pytest.mark.parametrize("length", [LIMIT + 1, 10**30])
def test_a_declared_length_over_the_limit_is_refused_unread(length: int) -> None:
    reading = Reading(None, {"content-length": str(length)})
    assert isinstance(reading.error, BodyTooLarge)
    assert str(LIMIT) in reading.error.message


def test_an_undeclared_length_is_refused_as_soon_as_it_crosses_the_limit() -> None:
    reading = Reading(None, {"transfer-encoding": "chunked"})
    assert reading.protocol.arrive(b"x" * LIMIT)
    assert reading.error is None
    assert reading.protocol.arrive(b"x")
    assert isinstance(reading.error, BodyTooLarge)


@pytest.mark.parametrize("declared", ["+5", "5,5", "-1", " 5", "5 ", "0x5", "", "５", "1e3"])
def test_a_length_that_is_no_number_is_refused(declared: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        declared_length({"content-length": declared})
    assert raised.value.param == "content-length"
    assert declared_length({"content-length": "5"}) == 5
    assert declared_length({}) is None


@pytest.mark.parametrize(("body", "length"), [(b"12", 3), (b"x" * 70_000, 80_000)])
def test_a_body_that_ends_too_soon_is_no_body(body: bytes, length: int) -> None:
    assert isinstance(of_length(body, length).error, ClientGone)


@pytest.mark.parametrize("headers", [{"content-length": "5"}, {"transfer-encoding": "chunked"}])
def test_a_client_that_hangs_up_meanwhile_is_gone(headers: dict[str, str]) -> None:
    reading = Reading(None, headers)
    reading.protocol.arrive(RuntimeError("closed"))
    assert isinstance(reading.error, ClientGone)


@pytest.mark.parametrize("headers", [{"content-length": "5"}, {"transfer-encoding": "chunked"}])
def test_a_reading_may_be_given_up(headers: dict[str, str]) -> None:
    reading = Reading(None, headers)
    assert reading.request.stage == "reading"
    reading.request.give_up()
    assert isinstance(reading.error, RequestTimeout)
    assert not reading.protocol.arrive(b"late")
    reading.request.give_up()


def allowed_s(reading: Reading) -> float:
    return reading.request.body_by_s - reading.request.arrived_s


@pytest.mark.parametrize(("length", "expected_s"), [(1024, GRACE_S + 1), (10 * 1024, GRACE_S + 10)])
def test_a_small_body_has_the_time_that_its_size_needs(length: int, expected_s: float) -> None:
    assert allowed_s(Reading(None, {"content-length": str(length)})) == pytest.approx(expected_s)


def test_the_time_for_a_body_is_bounded_however_large() -> None:
    assert allowed_s(Reading(None, {"content-length": str(ONE_PIECE_BYTES)})) == pytest.approx(30)


def test_a_large_body_earns_its_time_as_it_comes() -> None:
    reading = Reading(None, {"content-length": str(LIMIT)})
    assert allowed_s(reading) == pytest.approx(GRACE_S)
    reading.protocol.arrive(b"x" * 2048)
    assert allowed_s(reading) == pytest.approx(GRACE_S + 2)
    reading.protocol.arrive(b"x" * 150_000)
    assert allowed_s(reading) == pytest.approx(30)


def test_what_is_waited_for_is_given_up_whatever_it_is() -> None:
    cancelled = []

    class Exchange:
        def cancel(self) -> None:
            cancelled.append(self)

    proto: Any = Protocol(b"")
    request = Request("req_1", proto, Reply(proto, ""))
    request.give_up()
    first: Any = Exchange()
    second: Any = Exchange()
    request.exchanges += [first, second]
    request.give_up()
    assert cancelled == [first, second]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip", "GZIP", "x"])
def test_an_encoded_body_is_refused_unread(encoding: str) -> None:
    reading = Reading(None, {"content-length": "5", "content-encoding": encoding})
    assert isinstance(reading.error, RequestError)
    assert (reading.error.http_status, reading.error.error_code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_a_body_that_says_it_is_not_encoded_is_read(encoding: str) -> None:
    assert Reading(b"12345", {"content-length": "5", "content-encoding": encoding}).body == b"12345"


def test_a_chunked_body_that_breaks_off_is_no_body() -> None:
    reading = Reading([b"12", b""], {"transfer-encoding": "chunked"})
    assert isinstance(reading.error, InvalidRequest)
    assert reading.error.error_code == "incomplete_body"


def test_p20_ids_of_processes_that_start_together_never_meet() -> None:
    """Nothing of one process's chance is another's: each is seeded by the system as it starts."""
    code = "from dragoman.server.request import new_id\nprint(*(new_id(1) for _ in range(20_000)))"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = [one for process in started for one in process.communicate()[0].split()]
    assert len(set(ids)) == len(ids) == 80_000
