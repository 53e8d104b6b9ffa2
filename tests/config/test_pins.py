from __future__ import annotations

from hashlib import sha256

import pytest

from dragoman.config.pins import read_pin, write_pin

NOTHING = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("prefix", ["sha256/", "sha256//"])
def test_pins_are_read_as_curl_and_http_public_key_pinning_write_them(prefix: str) -> None:
    assert read_pin(prefix + NOTHING) == sha256(b"").digest()
    assert write_pin(read_pin(prefix + NOTHING)) == f"sha256/{NOTHING}"


def test_a_hash_may_begin_with_a_slash() -> None:
    pin = b"\xff" * 32
    written = write_pin(pin)
    assert written.startswith("sha256///")
    assert read_pin(written) == read_pin(written.replace("sha256/", "sha256//", 1)) == pin


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with sha256/"),
        (NOTHING, "does not begin with sha256/"),
        (f"sha512/{NOTHING}", "does not begin with sha256/"),
        (f"sha256:{NOTHING}", "does not begin with sha256/"),
        (f"SHA256/{NOTHING}", "does not begin with sha256/"),
        ("sha256/é", "is not in base64"),
        ("sha256/" + NOTHING.rstrip("="), "is not in base64"),
        (f"sha256/{NOTHING}\n", "is not in base64"),
        (f"sha256/ {NOTHING}", "is not in base64"),
        ("sha256/" + NOTHING.replace("+", "-").replace("/", "_"), "is not in base64"),
        ("sha256/" + sha256(b"").hexdigest(), "has 48 bytes"),
        ("sha256/", "has 0 bytes"),
        ("sha256/AAAA", "has 3 bytes"),
    ],
)
def test_what_is_no_pin(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_pin(text)
    assert str(caught.value).endswith("a pin is sha256/ and the base64 of the 32 bytes of the SHA-256 of a public key")
