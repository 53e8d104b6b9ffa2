from __future__ import annotations

from pathlib import Path

import pytest
from tests.audit.conftest import Begin

from dragoman.audit.record import AuditRecord
from dragoman.audit.search import Wanted, search
from dragoman.errors import StoreError


@pytest.fixture
def directory(begin: Begin, tmp_path: Path) -> Path:
    for chain in range(2):
        trail = begin(segment_records=2)
        for number in range(4):
            at_ms = 1000 * chain + number
            trail.put(
                AuditRecord(
                    kind="request",
                    at_ms=at_ms,
                    id=f"req_{chain}{number}",
                    key_id=f"key_{number % 2}",
                    decision="refused" if number == 3 else "allowed",
                )
            )
        trail.act("key.create", actor='a "b"')
        trail.close()
    return tmp_path / "audit"


def ids(directory: Path, **wanted: object) -> list[str]:
    return [one.record.id for one in search(directory, Wanted(**wanted))]  # type: ignore[arg-type]


def test_the_newest_comes_first(directory: Path) -> None:
    requests = ids(directory, fields={"kind": "request"})
    assert requests == ["req_13", "req_12", "req_11", "req_10", "req_03", "req_02", "req_01", "req_00"]


def test_all_that_is_asked_for_has_to_be_so(directory: Path) -> None:
    assert ids(directory, fields={"key_id": "key_1"}, decision="allowed") == ["req_11", "req_01"]
    assert ids(directory, fields={"kind": "request"}, since_ms=3, until_ms=1001) == ["req_10", "req_03"]
    assert ids(directory, fields={"key_id": "key_"}) == []


def test_a_kind_stands_for_those_below_it(directory: Path) -> None:
    found = list(search(directory, Wanted(fields={"kind": "key"})))
    assert [one.record.kind for one in found] == ["key.create"] * 2


def test_what_stands_otherwise_in_json_is_found(directory: Path) -> None:
    assert len(list(search(directory, Wanted(fields={"actor": 'a "b"'})))) == 2


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        list(search(tmp_path / "nowhere", Wanted()))
