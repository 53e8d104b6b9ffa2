from __future__ import annotations

import pytest
from tests.endpoints.admin.office import Office
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Serve


def test_requests_are_found_by_who_made_them(office: Office) -> None:
    for who in ("nobody", "other:nobody"):
        office.served.chat({"authorization": f"Bearer {office.keys[who].secret}"}, model="demo")
    found = office.ask("auditor", "GET", "/audit?kind=request&team=shop").json["data"]
    assert [one["record"]["organisation"] for one in found] == ["acme"]
    everything = office.ask("operator", "GET", "/audit?kind=request&team=shop").json["data"]
    assert {one["record"]["organisation"] for one in everything} == {"acme", "other"}
    assert len(office.ask("operator", "GET", "/audit?kind=request&organisation=other&limit=1").json["data"]) == 1


def test_nobody_searches_elsewhere(office: Office) -> None:
    assert office.ask("auditor", "GET", "/audit?organisation=other").status == 404
    assert office.ask("viewer", "GET", "/audit").code == "permission_denied"
    office.served.chat({"authorization": f"Bearer {office.keys['nobody'].secret}"}, model="demo")
    assert {one["record"]["team"] for one in office.ask("team-admin", "GET", "/audit").json["data"]} <= {"shop"}


def test_the_search_is_on_record(office: Office) -> None:
    office.ask("auditor", "GET", "/audit?user=eve")
    found = office.ask("auditor", "GET", "/audit?kind=audit.search").json["data"]
    assert {"organisation", "user"} in [set(one["record"]["detail"]["fields"]) for one in found]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "since=yesterday", "decision=maybe", "organisation="])
def test_a_search_that_cannot_be_made(office: Office, query: str) -> None:
    assert office.ask("auditor", "GET", f"/audit?{query}").status in (400, 404)


def test_what_is_kept_is_read_for_a_reason(serve: Serve, upstream: Upstream) -> None:
    office = Office(serve(config_for(upstream.base_url) | {"audit": {"content": "full"}}))
    headers = {"authorization": f"Bearer {office.keys['nobody'].secret}"}
    ours = office.served.chat(headers, user="eve").headers["x-request-id"]
    assert office.ask("owner", "GET", f"/audit/{ours}/content").json["error"]["param"] == "reason"
    assert office.ask("owner", "GET", f"/audit/{ours}/content?reason=x").json["error"]["param"] == "end_user"
    told = office.ask("owner", "GET", f"/audit/{ours}/content?reason=complaint&end_user=eve").json
    assert "Hello there." in told["prompt"]
    assert told["answer"]
    assert office.ask("owner", "GET", f"/audit/{ours}/content?reason=x&end_user=bob").json["prompt"] is None
    assert office.ask("admin", "GET", f"/audit/{ours}/content?reason=x").code == "permission_denied"
    assert office.ask("other:owner", "GET", f"/audit/{ours}/content?reason=x&end_user=eve").status == 404
    (read, *_) = office.ask("owner", "GET", "/audit?kind=content.read").json["data"][::-1]
    assert (read["record"]["user"], read["record"]["detail"]["reason"]) == ("owner-user", "complaint")
