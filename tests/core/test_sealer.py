from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Sealer

KEY = bytes(range(32))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_opens_with_the_same_alone(plain: bytes, about: bytes) -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(plain, about)
    assert len(sealed) == len(plain) + 28
    assert sealer.open(sealed, about) == plain
    assert sealer.open(sealed, about + b"x") is None
    assert Sealer(KEY[::-1]).open(sealed, about) is None
    assert sealer.seal(plain, about) != sealed


@given(st.binary(max_size=60))
def test_anything_else_does_not_open(data: bytes) -> None:
    assert Sealer(KEY).open(data, b"") is None


def test_a_bit_that_is_changed_is_noticed() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"plain", b"about")
    for at in range(len(sealed) * 8):
        bad = bytearray(sealed)
        bad[at // 8] ^= 1 << (at % 8)
        assert sealer.open(bytes(bad), b"about") is None


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"a key of {length} bytes, not 32"):
        Sealer(bytes(length))
