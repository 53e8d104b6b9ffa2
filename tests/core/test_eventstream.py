from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import EventStreamReader, FrameError, event_stream_message

EXAMPLE = bytes.fromhex(
    "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d747970650700106170"
    "706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475"
    "726e227d5fbf09fc"
)


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
