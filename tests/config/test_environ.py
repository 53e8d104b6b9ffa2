from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.environ import MAX_FILE_BYTES, Substitution, SubstitutionError

ENVIRON = {"A": "one", "EMPTY": "", "TRICKY": "${A} $${A} ${file:/etc/passwd}", "_b9": "two"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$A $ {A} $5", "$A $ {A} $5"),
        ("${A}", "one"),
        ("x${A}y${_b9}z", "xoneytwoz"),
        ("${A:-other}", "one"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${TRICKY}", ENVIRON["TRICKY"]),
        ("${NONE:-$A}", "$A"),
    ],
)
def test_references(text: str, value: str) -> None:
    assert Substitution(ENVIRON, Path())(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the environment variable NONE is not set"),
        ("${A", 'without its "}"'),
        ("${}", "is not ${NAME}"),
        ("${A-B}", "is not ${NAME}"),
        ("${9}", "is not ${NAME}"),
        ("${ A}", "is not ${NAME}"),
        ("${file:/no/such/file}", "/no/such/file cannot be read"),
        ("${file:a\0b}", "cannot be read"),
    ],
)
def test_references_that_cannot_be_replaced(text: str, message: str) -> None:
    with pytest.raises(SubstitutionError, match=None) as caught:
        Substitution(ENVIRON, Path())(text)
    assert message in str(caught.value)


def test_a_file_loses_its_last_newline_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" ${A} \n")
    substitution = Substitution(ENVIRON, tmp_path)
    assert substitution("${file:key}") == " ${A} "
    assert substitution(f"Bearer ${{file:{tmp_path / 'key'}}}") == "Bearer  ${A} "


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "most").write_bytes(b"x" * MAX_FILE_BYTES)
    (tmp_path / "more").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    substitution = Substitution({}, tmp_path)
    assert len(substitution("${file:most}")) == MAX_FILE_BYTES
    with pytest.raises(SubstitutionError, match="is over"):
        substitution("${file:more}")
    with pytest.raises(SubstitutionError, match="is not UTF-8"):
        substitution("${file:binary}")
    with pytest.raises(SubstitutionError, match="cannot be read: Is a directory"):
        substitution("${file:.}")


@given(st.text(max_size=60))
def test_what_is_put_in_is_never_looked_at_again(value: str) -> None:
    assert Substitution({"V": value}, Path())("<${V}>") == f"<{value}>"
