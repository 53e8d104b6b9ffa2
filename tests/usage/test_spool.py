from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.usage.row import UsageRow
from dragoman.usage.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.jsonl"


def everything(spool: Spool, count: int = 3) -> list[UsageRow]:
    rows: list[UsageRow] = []
    position = 0
    while True:
        chunk = spool.read(position, count)
        if not chunk.rows and not chunk.unreadable:
            return rows
        rows += chunk.rows
        position = chunk.end


def test_rows_come_back_as_they_were_in_order(path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(path)
    assert not spool.exists and spool.size() == 0
    rows = [make_row(tags=f"é{n}\n", cost_nanousd=n or None, first_token_ms=n / 3, stream=True) for n in range(10)]
    assert spool.append(rows[:4]) == 4
    assert spool.append(rows[4:]) == 6
    assert spool.exists and spool.size() == path.stat().st_size
    assert everything(spool) == rows
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    spool.remove()
    spool.remove()
    assert not spool.exists


def test_each_spool_has_its_own_name(path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(path)
    spool.append([make_row()])
    first = spool.name()
    spool.append([make_row()])
    assert spool.name() == first
    spool.remove()
    spool.append([make_row()])
    assert spool.name() not in ("", first)


@pytest.mark.parametrize("limit", [0, 300, 2000, 5000, 5001, 100_000])
def test_the_size_is_bounded_and_what_fits_is_said(path: Path, make_row: Callable[..., UsageRow], limit: int) -> None:
    spool = Spool(path, max_bytes=limit)
    rows = [make_row() for _ in range(20)]
    fitted = spool.append(rows)
    fitted += spool.append(rows[fitted:])
    assert spool.size() <= max(limit, 100)
    assert everything(spool) == rows[:fitted]
    assert fitted == 20 or limit < 100_000


def test_a_torn_tail_is_counted_and_skipped(path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(path)
    rows = [make_row() for _ in range(3)]
    spool.append(rows)
    path.write_bytes(path.read_bytes()[:-10])
    chunk = spool.read(0, 10)
    assert (chunk.rows, chunk.unreadable) == (rows[:2], 1)
    assert spool.read(chunk.end, 10) == ([], chunk.end, 0)


@pytest.mark.parametrize("noise", [b"\n", b"{}\n", b"\xff\xfe\n", b"[1,2]\n", b'{"request_id": 5}\n'])
def test_noise_between_rows_is_skipped(path: Path, make_row: Callable[..., UsageRow], noise: bytes) -> None:
    spool = Spool(path)
    rows = [make_row(), make_row()]
    spool.append(rows[:1])
    with path.open("ab") as file:
        file.write(noise)
    spool.append(rows[1:])
    chunk = spool.read(0, 10)
    assert (chunk.rows, chunk.unreadable) == (rows, 1)


def test_a_torn_first_line_is_no_name(path: Path) -> None:
    path.write_bytes(b'{"spool": "12')
    assert Spool(path).name() == ""


def test_a_failed_write_leaves_the_file_as_it_was(path: Path, make_row: Callable[..., UsageRow]) -> None:
    (path.parent / "full").symlink_to("/dev/full")
    with pytest.raises(OSError):
        Spool(path.parent / "full").append([make_row()])
    spool = Spool(path.parent / "none" / "spool.jsonl")
    with pytest.raises(OSError):
        spool.append([make_row()])
