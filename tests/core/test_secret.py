from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import SecretHasher


@given(st.binary(min_size=1), st.text())
def test_it_is_the_hmac_of_the_standard_library(pepper: bytes, secret: str) -> None:
    assert SecretHasher(pepper)(secret) == hmac.digest(pepper, secret.encode(), "sha256")


def test_half_of_a_pair_is_no_error() -> None:
    assert len(SecretHasher(b"pepper")("dgk_\ud800")) == 32
