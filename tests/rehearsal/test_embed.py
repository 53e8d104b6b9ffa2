from __future__ import annotations

import math
import struct
from base64 import b64decode

import pytest

from dragoman.rehearsal.embed import dimensions_of, encoded, vector


@pytest.mark.parametrize("dimensions", [1, 2, 256, 1536, 3072])
def test_vectors_are_unit_vectors_of_the_length_asked_for(dimensions: int) -> None:
    unit = vector(b"a text", dimensions)
    assert len(unit) == dimensions
    assert math.hypot(*unit) == pytest.approx(1.0, abs=1e-5)


def test_the_key_decides() -> None:
    assert vector(b"a", 64) == vector(b"a", 64)
    cosine = sum(x * y for x, y in zip(vector(b"a", 1536), vector(b"b", 1536), strict=True))
    assert abs(cosine) < 0.15


def test_a_shorter_vector_is_the_beginning_normalised() -> None:
    long, short = vector(b"a", 512), vector(b"a", 128)
    scale = 1 / math.hypot(*long[:128])
    assert list(short) == pytest.approx([part * scale for part in long[:128]], abs=1e-6)


def test_base64_holds_little_endian_single_precision() -> None:
    unit = vector(b"a", 8)
    assert list(struct.unpack("<8f", b64decode(encoded(unit)))) == list(unit)


def test_models_have_their_own_lengths() -> None:
    assert dimensions_of("openai/text-embedding-3-large") == 3072
    assert dimensions_of("rehearsal-embedding") == 1536
