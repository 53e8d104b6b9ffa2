from __future__ import annotations

from pathlib import Path

import pytest
from tests.audit.conftest import SEED, Begin

from dragoman.audit.check import check_log
from dragoman.core import audit_public_key, audit_segments, audit_take_out
from dragoman.errors import StoreError

PUBLIC = audit_public_key(SEED)


def test_a_record_that_somebody_took_out_shows(begin: Begin, tmp_path: Path) -> None:
    trail = begin()
    for number in range(5):
        trail.act("x", number=number)
    trail.close()
    directory = tmp_path / "audit"
    (writer,) = (path.name for path in directory.iterdir())
    ((_, path, _),) = audit_segments(directory, writer)
    assert audit_take_out(path, {3, 4}) == 2
    faults = check_log(directory, PUBLIC).faults
    assert [place for place, _ in faults] == [f"{writer}/3", f"{writer}/4"]
    assert "nothing says by whom" in faults[0].what
    later = begin()
    later.act("audit.taken_out", actor="retention", writer=writer, seqs=[(3, 4)])
    later.close()
    assert check_log(directory, PUBLIC).faults == []


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        check_log(tmp_path / "nowhere", PUBLIC)
