from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import EventStreamReader, FrameError, event_stream_message

# A header's value, after the number of its type.
Header = tuple[int, Any]
HEADERS = st.one_of(
    st.tuples(st.sampled_from([0, 1]), st.none()),
    st.tuples(st.just(2), st.integers(-(2**7), 2**7 - 1)),
    st.tuples(st.just(3), st.integers(-(2**15), 2**15 - 1)),
    st.tuples(st.just(4), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([5, 8]), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just(6), st.binary(max_size=40)),
    st.tuples(st.just(7), st.text(max_size=40)),
    st.tuples(st.just(9), st.binary(min_size=16, max_size=16)),
)
NUMBERS = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}
EXAMPLE = bytes.fromhex(
    "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d747970650700106170"
    "706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475"
    "726e227d5fbf09fc"
)


def framed(headers: dict[str, Header], payload: bytes) -> bytes:
    """A message by the format's description, with any headers."""
    block = b""
    for name, (kind, value) in headers.items():
        block += bytes([len(name.encode())]) + name.encode() + bytes([kind])
        if kind in NUMBERS:
            block += struct.pack(NUMBERS[kind], value)
        elif kind in (6, 7):
            data = value.encode() if isinstance(value, str) else value
            block += struct.pack(">H", len(data)) + data
        elif kind == 9:
            block += value
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def test_the_example_is_written_and_read() -> None:
    assert event_stream_message("messageStop", b'{"stopReason":"end_turn"}') == EXAMPLE
    assert EventStreamReader(1024).feed(EXAMPLE) == [("messageStop", b'{"stopReason":"end_turn"}')]


@given(st.binary(max_size=64), st.booleans(), st.integers(0, 200))
def test_every_split_gives_the_same_messages(payload: bytes, exception: bool, cut: int) -> None:
    written = event_stream_message("chunk", payload, exception=exception) * 2
    reader = EventStreamReader(4096)
    found = reader.feed(written[:cut]) + reader.feed(written[cut:])
    assert found == [("exception:chunk" if exception else "chunk", payload)] * 2
    assert not reader.is_amid


@given(st.text(min_size=1, max_size=20), st.binary(max_size=300), st.booleans())
def test_botocore_reads_what_is_written(name: str, payload: bytes, exception: bool) -> None:
    """Its parser checks both sums and every header."""
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream_message(name, payload, exception=exception) * 2)
    read = [(event.headers, event.payload) for event in buffer]
    headers = {
        ":exception-type" if exception else ":event-type": name,
        ":content-type": "application/json",
        ":message-type": "exception" if exception else "event",
    }
    assert read == [(headers, payload)] * 2


@given(st.dictionaries(st.text(min_size=1, max_size=12), HEADERS, max_size=6), st.binary(max_size=300), st.integers(0))
def test_what_botocore_reads_is_read_alike(headers: dict[str, Header], payload: bytes, bit: int) -> None:
    """Headers of every type that the format has; then one bit of the message is another."""
    message = bytearray(framed({":event-type": (7, "chunk"), **headers}, payload))
    for _ in range(2):
        buffer, reader = EventStreamBuffer(), EventStreamReader(1 << 16)
        buffer.add_data(bytes(message))
        try:
            theirs = [event.payload for event in buffer]
        except (ParserError, struct.error, UnicodeDecodeError, KeyError):
            theirs = []
        try:
            ours = [data for _, data in reader.feed(bytes(message))]
        except FrameError:
            ours = []
        assert ours == theirs
        at = bit % (len(message) * 8)
        message[at // 8] ^= 1 << (at % 8)


@pytest.mark.parametrize("at", range(0, len(EXAMPLE), 7))
def test_a_byte_changed_anywhere_is_noticed(at: int) -> None:
    bad = bytearray(EXAMPLE)
    bad[at] ^= 1
    reader = EventStreamReader(1024)
    with pytest.raises(FrameError):
        reader.feed(bytes(bad))
        assert reader.is_amid, "it may only wait for more"
        raise FrameError


@given(st.binary(max_size=300))
def test_nothing_else_comes_of_hostile_bytes(data: bytes) -> None:
    try:
        EventStreamReader(1024).feed(data)
    except FrameError as error:
        assert str(error)
