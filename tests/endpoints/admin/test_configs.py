from __future__ import annotations

import pytest
from tests.endpoints.admin.office import Office

ROUTES = 'routes: {demo: {tiers: [["up0"]]}, other: {tiers: [["up0"]], retries: 0}}\n'


def models(office: Office) -> set[str]:
    secret = office.keys["nobody"].secret
    return {one["id"] for one in office.served.get("/v1/models", authorization=f"Bearer {secret}").json["data"]}


def test_what_is_stored_takes_the_place_of_the_file_s_sections_at_once(office: Office) -> None:
    assert office.ask("operator", "GET", "/config").json["version"] == 0
    assert "other" not in models(office)
    stored = office.ask("operator", "PUT", "/config", {"body": ROUTES, "note": "one more"})
    assert (stored.status, stored.json["version"], stored.json["in_force"]) == (200, 1, True)
    assert "other" in models(office)
    read = office.ask("operator", "GET", "/config")
    assert (read.json["body"], read.json["note"], read.json["author"]) == (ROUTES, "one more", "operator")
    assert read.headers["etag"] == stored.headers["etag"]
    assert office.ask("operator", "PUT", "/config", {"body": ""}, if_match='"stale"').status == 412


def test_an_earlier_version_is_put_back(office: Office) -> None:
    office.ask("operator", "PUT", "/config", {"body": ROUTES})
    office.ask("operator", "PUT", "/config", {"body": ""})
    assert "other" not in models(office)
    back = office.ask("operator", "POST", "/config/rollback", {"version": 1}).json
    assert (back["version"], back["body"], back["note"]) == (3, ROUTES, "back to version 1")
    assert "other" in models(office)
    assert office.ask("operator", "POST", "/config/rollback", {"version": 9}).status == 404
    assert office.ask("operator", "POST", "/config/rollback", {"version": 0}).json["body"] == ""
    listed = office.ask("operator", "GET", "/config/versions?limit=3").json
    assert [one["version"] for one in listed["data"]] == [4, 3, 2]
    rest = office.ask("operator", "GET", f"/config/versions?after={listed['next']}").json
    assert [one["version"] for one in rest["data"]] == [1]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("routes: [", "stored configuration"),
        ("[1]", "a mapping of sections"),
        ("server: {port: 1}", "only a file says this"),
        ("store: {url: x}", "only a file says this"),
        ("keys: []", "only a file says this"),
        ("routes: {x: {tiers: [[nowhere]]}}", "nowhere"),
        ("routes: {x: {teirs: []}}", "teirs"),
    ],
)
def test_what_cannot_be_used_is_not_stored(office: Office, body: str, words: str) -> None:
    refused = office.ask("operator", "PUT", "/config", {"body": body})
    assert (refused.status, refused.code) == (400, "bad_config")
    assert words in refused.json["error"]["message"]
    assert office.ask("operator", "GET", "/config").json["version"] == 0
    assert office.served.chat({"authorization": f"Bearer {office.keys['nobody'].secret}"}, model="demo").status == 200


def test_no_organisation_has_a_say(office: Office) -> None:
    for who in ("owner", "admin", "auditor"):
        assert office.ask(who, "GET", "/config").code == "permission_denied"
        assert office.ask(who, "PUT", "/config", {"body": ""}).code == "permission_denied"
