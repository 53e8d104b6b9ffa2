from __future__ import annotations

import pytest
import trustme
from tests.certificates import der_of, hash_of

from dragoman.core import pin_of


@pytest.mark.parametrize("kind", trustme.KeyType)
def test_a_pin_is_the_hash_of_the_key(kind: trustme.KeyType) -> None:
    certificate = trustme.CA(key_type=kind).issue_cert("provider.example", key_type=kind)
    assert pin_of(der_of(certificate)) == hash_of(certificate)


def test_two_keys_have_two_pins() -> None:
    authority = trustme.CA()
    first, second = (pin_of(der_of(authority.issue_cert("provider.example"))) for _ in range(2))
    assert first != second


@pytest.mark.parametrize("text", [b"", b"x", b"\x30\x82\xff\xff", bytes(100)])
def test_what_is_no_certificate_has_no_pin(text: bytes) -> None:
    with pytest.raises(ValueError, match="invalid peer certificate"):
        pin_of(text)


def test_a_certificate_that_is_cut_has_no_pin() -> None:
    whole = der_of(trustme.CA().issue_cert("provider.example"))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="invalid peer certificate"):
            pin_of(whole[:length])
