from __future__ import annotations

import json

from dragoman.audit.record import AuditRecord, read_record


def test_its_bytes_are_the_fields_in_order_without_those_that_say_nothing() -> None:
    record = AuditRecord(kind="request", at_ms=5, status=200, cost_nanousd=0, detail={"b": 1, "a": 2})
    assert record.encoded() == b'{"kind":"request","at_ms":5,"status":200,"cost_nanousd":0,"detail":{"b":1,"a":2}}'
    assert read_record(record.encoded()) == record


def test_whatever_clients_say_it_is_one_line() -> None:
    line = AuditRecord(kind="a\nb", at_ms=1, alias="\r\n\x1b[0m\u2028", detail={"x": "\n"}).encoded()
    assert b"\n" not in line
    assert b"\x1b" not in line
    assert json.loads(line)["kind"] == "a\nb"


def test_half_a_pair_of_surrogates_loses_no_record() -> None:
    record = AuditRecord(
        kind="request", at_ms=1, alias="a\ud800b", model="\U0001f600", detail={"x\udc00": ["\udfff", 1]}
    )
    assert record.encoded() == (
        '{"kind":"request","at_ms":1,"alias":"a?b","model":"\U0001f600","detail":{"x?":["?",1]}}'.encode()
    )
