from __future__ import annotations

import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.usage.row import UsageRow
from dragoman.usage.spool import Spool


def everything(spool: Spool, count: int = 3) -> list[UsageRow]:
    rows: list[UsageRow] = []
    position = 0
    while True:
        chunk = spool.read(position, count)
        if not chunk.rows and not chunk.unreadable:
            return rows
        rows += chunk.rows
        position = chunk.end


def test_rows_come_back_as_they_were_in_order(tmp_path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(tmp_path)
    assert spool.size() == 0 and spool.read(0, 5) == ([], 0, 0)
    rows = [make_row(tags=f"é{n}\n", cost_nanousd=n or None, first_token_ms=n / 3, stream=True) for n in range(10)]
    assert spool.append(rows[:4]) == 4
    assert spool.append(rows[4:]) == 6
    assert spool.size() == the_file(tmp_path).stat().st_size
    assert everything(spool) == rows
    assert stat.S_IMODE(the_file(tmp_path).stat().st_mode) == 0o600
    spool.remove()
    spool.remove()
    assert list(tmp_path.iterdir()) == []


def the_file(directory: Path) -> Path:
    (path,) = directory.glob("usage-spool-*.jsonl")
    return path


def test_each_spool_has_its_own_name(tmp_path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(tmp_path)
    assert spool.name == ""
    spool.append([make_row()])
    first = spool.name
    spool.append([make_row()])
    assert spool.name == first == Spool(tmp_path).name
    spool.remove()
    assert spool.name == ""
    spool.append([make_row()])
    assert spool.name not in ("", first)


@pytest.mark.parametrize("limit", [0, 300, 2000, 5000, 5001, 100_000])
def test_the_size_is_bounded_and_what_fits_is_said(
    tmp_path: Path, make_row: Callable[..., UsageRow], limit: int
) -> None:
    spool = Spool(tmp_path, max_bytes=limit)
    rows = [make_row() for _ in range(20)]
    fitted = spool.append(rows)
    fitted += spool.append(rows[fitted:])
    assert spool.size() <= limit
    assert everything(spool) == rows[:fitted]
    assert fitted == 20 or limit < 100_000


def test_a_torn_tail_is_counted_and_costs_no_row_after_it(tmp_path: Path, make_row: Callable[..., UsageRow]) -> None:
    rows = [make_row() for _ in range(4)]
    Spool(tmp_path).append(rows[:3])
    path = the_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    spool = Spool(tmp_path)
    chunk = spool.read(0, 10)
    assert (chunk.rows, chunk.unreadable) == (rows[:2], 1)
    assert spool.read(chunk.end, 10) == ([], chunk.end, 0)
    spool.append(rows[3:])
    assert spool.read(0, 10).rows == [*rows[:2], rows[3]]


@pytest.mark.parametrize("noise", [b"\n", b"{}\n", b"\xff\xfe\n", b"[1,2]\n", b'{"request_id": 5}\n'])
def test_noise_between_rows_is_skipped(tmp_path: Path, make_row: Callable[..., UsageRow], noise: bytes) -> None:
    spool = Spool(tmp_path)
    rows = [make_row(), make_row()]
    spool.append(rows[:1])
    with the_file(tmp_path).open("ab") as file:
        file.write(noise)
    spool.append(rows[1:])
    chunk = spool.read(0, 10)
    assert (chunk.rows, chunk.unreadable) == (rows, 1)


@pytest.mark.parametrize("already", [0, 2])
def test_a_write_that_fails_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, make_row: Callable[..., UsageRow], already: int
) -> None:
    spool = Spool(tmp_path)
    before = [make_row() for _ in range(already)]
    spool.append(before)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size() + 10_000, hard))
    try:
        with pytest.raises(OSError):
            spool.append([make_row() for _ in range(100)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert everything(spool) == before
    more = [make_row() for _ in range(100)]
    assert spool.append(more) == 100
    assert everything(spool) == before + more


def test_a_directory_that_is_missing_is_an_error_and_no_file(tmp_path: Path, make_row: Callable[..., UsageRow]) -> None:
    spool = Spool(tmp_path / "none")
    with pytest.raises(OSError):
        spool.append([make_row()])
    assert spool.name == ""


def test_each_worker_has_files_of_its_own(tmp_path: Path, make_row: Callable[..., UsageRow]) -> None:
    spools = [Spool(tmp_path, worker=worker, workers=3) for worker in range(3)]
    for spool in spools:
        spool.append([make_row()])
    assert len({spool.name for spool in spools}) == 3
    assert [Spool(tmp_path, worker=worker, workers=3).name for worker in range(3)] == [one.name for one in spools]


def test_the_first_takes_over_what_workers_left_that_there_are_no_more(
    tmp_path: Path, make_row: Callable[..., UsageRow]
) -> None:
    left = [Spool(tmp_path, worker=worker, workers=4) for worker in (1, 3)]
    for spool in left:
        spool.append([make_row()])
    first = Spool(tmp_path, worker=0, workers=2)
    assert first.name == left[1].name
    first.remove()
    assert first.name == ""
    alone = Spool(tmp_path)
    assert alone.name == left[0].name
