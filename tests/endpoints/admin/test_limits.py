from __future__ import annotations

from typing import Any

import pytest
from tests.endpoints.admin.office import Office

DAILY: dict[str, Any] = {"applies_to": {"organisations": ["acme"]}, "requests": 1, "per": "day"}


def test_a_limit_is_set_read_listed_and_removed(office: Office) -> None:
    made = office.ask("owner", "PUT", "/limits/acme/daily", DAILY)
    assert made.status == 200, made.json
    assert (made.json["name"], made.json["source"], made.json["requests"]) == ("acme/daily", "stored", 1)
    read = office.ask("viewer", "GET", "/limits/acme/daily")
    assert (read.json, read.headers["etag"]) == (made.json, made.headers["etag"])
    assert [one["name"] for one in office.ask("viewer", "GET", "/limits").json["data"]] == ["acme/daily"]
    assert office.ask("owner", "PUT", "/limits/acme/daily", DAILY, if_match='"other"').status == 412
    assert office.ask("owner", "DELETE", "/limits/acme/daily").status == 200
    assert office.ask("owner", "GET", "/limits/acme/daily").status == 404


def test_it_holds_at_once(office: Office) -> None:
    office.ask("owner", "PUT", "/limits/acme/daily", DAILY | {"cost_usd": None})
    headers = {"authorization": f"Bearer {office.keys['nobody'].secret}"}
    assert [office.served.chat(headers, model="demo").status for _ in range(2)] == [200, 429]
    theirs = {"authorization": f"Bearer {office.keys['other:nobody'].secret}"}
    assert office.served.chat(theirs, model="demo").status == 200


@pytest.mark.parametrize(
    ("who", "name", "body", "param"),
    [
        ("owner", "daily", DAILY, "name"),
        ("owner", "other/daily", DAILY, "name"),
        ("owner", "acme/daily", {"requests": 1}, "applies_to.organisations"),
        (
            "owner",
            "acme/daily",
            {"applies_to": {"organisations": ["other"]}, "requests": 1},
            "applies_to.organisations",
        ),
        (
            "owner",
            "acme/d",
            {"applies_to": {"organisations": ["acme", "other"]}, "requests": 1},
            "applies_to.organisations",
        ),
        ("team-admin", "acme/daily", DAILY, "applies_to.teams"),
    ],
)
def test_nobody_limits_others(office: Office, who: str, name: str, body: Any, param: str) -> None:
    refused = office.ask(who, "PUT", f"/limits/{name}", body)
    assert (refused.status, refused.json["error"]["param"]) == (403, param)


def test_others_limits_are_not_there(office: Office) -> None:
    office.ask("operator", "PUT", "/limits/all", {"requests": 1000})
    office.ask("other:owner", "PUT", "/limits/other/daily", {"applies_to": {"organisations": ["other"]}, "requests": 1})
    assert office.ask("owner", "GET", "/limits").json["data"] == []
    for name in ("all", "other/daily", "none"):
        assert office.ask("owner", "GET", f"/limits/{name}").status == 404
        assert office.ask("owner", "DELETE", f"/limits/{name}").status == 404
    assert len(office.ask("operator", "GET", "/limits").json["data"]) == 2
    assert len(office.ask("operator", "GET", "/limits?organisation=other").json["data"]) == 1


@pytest.mark.parametrize("body", [{}, {"requests": 0}, {"requests": 1, "per": "second"}, {"nothing": 1}])
def test_what_limits_nothing_is_refused(office: Office, body: Any) -> None:
    assert office.ask("operator", "PUT", "/limits/x", body).status == 400
