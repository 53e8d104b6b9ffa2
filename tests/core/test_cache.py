from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Apart, ExactCache, Recording

KEY = ExactCache.key([b"a"])


def test_a_key_tells_how_its_parts_are_divided() -> None:
    alike = [[b"ab"], [b"a", b"b"], [b"", b"ab"], [b"ab", b""], []]
    keys = {ExactCache.key(parts) for parts in alike}
    assert len(keys) == len(alike)
    assert {len(key) for key in keys} == {32}


@given(st.lists(st.binary(max_size=80), max_size=5), st.integers(0, 5))
def test_a_key_is_the_same_however_it_is_made(parts: list[bytes], first: int) -> None:
    apart = Apart(parts[:first])
    assert apart.key(*parts[first:]) == apart.key(*parts[first:]) == ExactCache.key(parts)


def test_what_is_put_is_given_until_its_time_is_over() -> None:
    cache = ExactCache(10_000)
    cache.put(KEY, (b"body", b"note"), ["tenant:x"], now_ms=1_000, ttl_ms=500)
    assert cache.get(KEY, 1_499) == (b"body", b"note", 499)
    assert (len(cache), cache.bytes > 8) == (1, True)
    assert cache.get(KEY, 1_500) is None
    assert (len(cache), cache.bytes) == (0, 0)


def test_what_is_too_old_for_one_is_there_for_others() -> None:
    cache = ExactCache(10_000)
    cache.put(KEY, (b"body", b"note"), headers=[("content-type", "text/plain")], now_ms=1_000, ttl_ms=500)
    assert cache.get(KEY, 1_100, 100) is None
    assert cache.get(KEY, 1_100, 101) == cache.get(KEY, 1_100, max_age_ms=None) == (b"body", b"note", 100)


def test_headers_take_their_room() -> None:
    sizes = []
    for headers in ([], [("content-type", "text/plain")]):
        cache = ExactCache(10_000)
        cache.put(KEY, (b"", b""), headers=headers, now_ms=0, ttl_ms=1)
        sizes.append(cache.bytes)
    assert sizes[1] >= sizes[0] + len("content-typetext/plain")


def test_what_is_put_is_purged_by_its_labels() -> None:
    cache = ExactCache(10_000)
    cache.put(KEY, (b"", b""), ["tenant:x", "end_user:u"], now_ms=0, ttl_ms=1)
    assert cache.purge(["tenant:x", "end_user:v"]) == 0
    assert cache.purge(["end_user:u", "tenant:x"]) == 1
    cache.put(KEY, (b"", b""), now_ms=0, ttl_ms=1)
    assert (cache.remove(KEY), cache.remove(KEY)) == (True, False)


@pytest.mark.parametrize("key", [b"", b"short", KEY + b"x"])
def test_a_key_has_its_length(key: bytes) -> None:
    cache = ExactCache(10_000)
    with pytest.raises(ValueError, match="32 bytes"):
        cache.get(key, 0)
    with pytest.raises(ValueError, match="32 bytes"):
        cache.put(key, (b"", b""), now_ms=0, ttl_ms=1)


def test_of_what_is_too_large_nothing_is_recorded() -> None:
    recording = Recording(10)
    recording.write("text/plain", b"x" * 11)
    assert (recording.dropped, recording.body, recording.join()) == (True, b"", False)


def test_while_others_follow_more_is_recorded() -> None:
    recording = Recording(10)
    assert recording.join()
    recording.write("text/plain", b"x" * 160)
    assert (recording.dropped, len(recording.body), recording.content_type) == (False, 160, "text/plain")
    recording.write("text/plain", b"x")
    assert recording.dropped


def test_pieces_come_as_they_are_recorded() -> None:
    recording = Recording(100)
    woken: list[object] = []
    recording.after(0).on_done(woken.append)
    recording.write("text/plain", b"abc")
    assert len(woken) == 1
    assert next_of(recording, 1) == b"bc"
    recording.after(3).on_done(woken.append)
    recording.stir()
    assert len(woken) == 2
    recording.end()
    assert next_of(recording, 3) is None
    assert recording.join() is False


def test_who_is_only_stirred_gets_nothing() -> None:
    piece = Recording(100).after(0)
    assert next(piece) is piece
    with pytest.raises(StopIteration) as stop:
        next(piece)
    assert stop.value.value == b""


def next_of(recording: Recording, position: int) -> bytes | None:
    with pytest.raises(StopIteration) as stop:
        next(recording.after(position))
    found: bytes | None = stop.value.value
    return found
