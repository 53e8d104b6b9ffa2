from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from tests.endpoints.admin.office import Office


@pytest.fixture
def busy(office: Office) -> Office:
    """An office where three requests were made: one of ours, two of theirs."""
    for who in ("nobody", "other:nobody", "other:nobody"):
        headers = {"authorization": f"Bearer {office.keys[who].secret}"}
        assert office.served.chat(headers, model="demo", user="=eve").status == 200
    return office


def whole(office: Office, who: str, query: str = "") -> Any:
    answer = office.ask(who, "GET", f"/usage{query}")
    assert answer.status == 200, answer.json
    return answer.json


def test_sums_are_of_one_s_own_organisation(busy: Office) -> None:
    assert whole(busy, "operator")["whole"]["requests"] == 3
    assert whole(busy, "viewer")["whole"]["requests"] == 1
    assert whole(busy, "other:viewer")["whole"]["requests"] == 2
    assert whole(busy, "team-admin")["whole"]["requests"] == 1
    assert whole(busy, "operator", "?organisation=other")["whole"]["requests"] == 2
    assert busy.ask("viewer", "GET", "/usage?organisation=other").status == 404
    groups = whole(busy, "operator", "?by=organisation,team")["groups"]
    assert {(one["organisation"], one["team"], one["requests"]) for one in groups} == {
        ("acme", "shop", 1),
        ("other", "shop", 2),
    }
    assert whole(busy, "owner", "?model=none")["whole"]["requests"] == 0
    assert [one["organisation"] for one in whole(busy, "owner", "?by=organisation")["groups"]] == ["acme"]


@pytest.mark.parametrize("form", ["csv", "focus"])
def test_other_forms_are_safe_in_spreadsheets(busy: Office, form: str) -> None:
    answer = busy.ask("owner", "GET", f"/usage?by=end_user,day&format={form}")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert len(rows) == 2
    assert not any(cell.startswith("=") for row in rows for cell in row)
    assert "other" not in answer.body.decode()


@pytest.mark.parametrize("query", ["by=nothing", "since=yesterday", "format=xml", "status=x", "nothing=1"])
def test_what_cannot_be_asked(office: Office, query: str) -> None:
    assert office.ask("owner", "GET", f"/usage?{query}").status == 400


def test_who_may_not(office: Office) -> None:
    assert office.ask("member", "GET", "/usage").code == "permission_denied"
