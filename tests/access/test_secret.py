from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access import secret as secret_module
from dragoman.access.secret import (
    PEPPER_FILE,
    check_secret,
    create_secret,
    hash_secret,
    load_pepper,
    shown_prefix,
)
from dragoman.errors import StoreError

PEPPER = bytes(range(32))


def test_a_secret_has_the_announced_form() -> None:
    seen = {create_secret() for _ in range(200)}
    assert len(seen) == 200
    for secret in seen:
        assert re.fullmatch(r"dgk_[0-9A-Za-z]{49}", secret)
        assert check_secret(secret)


def test_all_256_bits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, body in ((0, "0" * 43), (2**256 - 1, None)):
        monkeypatch.setattr(secret_module.secrets, "randbits", lambda _bits, number=number: number)
        secret = create_secret()
        digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
        value = 0
        for character in secret[4:47]:
            value = value * 62 + digits.index(character)
        assert value == number
        assert body is None or secret[4:47] == body


def test_a_known_secret_stays_good() -> None:
    assert check_secret("dgk_KRGefODQ7j0WCEJOyLpDUnKW18ePIU7PCoWvc5AGvnA3GFFeS")


def test_every_single_typo_and_every_swap_is_noticed() -> None:
    secret = create_secret()
    for place in range(4, len(secret)):
        for other in "0aZ_ é":
            if secret[place] != other:
                assert not check_secret(secret[:place] + other + secret[place + 1 :])
        if place + 1 < len(secret) and secret[place] != secret[place + 1]:
            swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
            assert not check_secret(swapped)


@given(st.text())
def test_other_text_is_no_secret(text: str) -> None:
    assert not check_secret(text)
    assert not check_secret("dgk_" + text)


@given(st.text(max_size=200))
def test_the_hash_is_hmac_sha256_of_any_text(text: str) -> None:
    expected = hmac.new(PEPPER, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    assert hash_secret(text, PEPPER) == expected


def test_a_lone_surrogate_is_hashed_like_other_text() -> None:
    assert hash_secret("\ud800", PEPPER) != hash_secret("?", PEPPER)


def test_another_pepper_gives_another_hash() -> None:
    assert hash_secret("x", PEPPER) != hash_secret("x", bytes(32))


def test_the_shown_prefix_is_short() -> None:
    assert shown_prefix("dgk_abcdefghij") == "dgk_abcdef"


def test_the_pepper_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_pepper(tmp_path, {})
    assert len(first) == 32
    assert load_pepper(tmp_path, {}) == first
    assert stat.S_IMODE((tmp_path / PEPPER_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [PEPPER_FILE]


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    assert load_pepper(tmp_path, {"DRAGOMAN_PEPPER": "p" * 32}) == b"p" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "short", "p" * 31])
def test_a_weak_pepper_in_the_environment_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(StoreError, match="at least 32 bytes"):
        load_pepper(tmp_path, {"DRAGOMAN_PEPPER": value})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_pepper_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_pepper(tmp_path, {})
    os.chmod(tmp_path / PEPPER_FILE, mode)
    with pytest.raises(StoreError, match="chmod 600"):
        load_pepper(tmp_path, {})


def test_a_damaged_pepper_is_refused_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / PEPPER_FILE
    path.touch(0o600)
    path.write_bytes(b"half")
    with pytest.raises(StoreError, match="damaged"):
        load_pepper(tmp_path, {})
    assert path.read_bytes() == b"half"


def test_two_makers_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = b"o" * 32
    real_link = os.link

    def link_after_another(source: Path, target: Path) -> None:
        if not target.exists():
            target.touch(0o600)
            target.write_bytes(other)
        real_link(source, target)

    monkeypatch.setattr(os, "link", link_after_another)
    assert load_pepper(tmp_path, {}) == other
    assert [path.name for path in tmp_path.iterdir()] == [PEPPER_FILE]


def test_a_directory_that_is_missing_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read the pepper"):
        load_pepper(tmp_path / "none", {})
