from __future__ import annotations

from typing import Any

import pytest
from tests.endpoints.admin import office as offices
from tests.endpoints.admin.office import Office
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve

from dragoman.config.entities import User
from dragoman.config.schema import Key
from dragoman.store.entities import find_entity


@pytest.fixture
def office(serve: Serve, upstream: Upstream) -> Office:
    return offices.office(serve, upstream)


def scim(office: Office, method: str, path: str, body: Any = None, who: str = "owner") -> Protocol:
    key = f"Bearer {office.keys[who].secret}"
    return office.served.administer(method, f"/scim/v2{path}", body, authorization=key)


def test_a_person_comes_changes_and_goes(office: Office) -> None:
    made = scim(office, "POST", "/Users", {"userName": "bob@acme.example", "externalId": "00u9", "active": True})
    assert (made.status, made.headers["content-type"]) == (201, "application/scim+json")
    assert scim(office, "POST", "/Users", {"userName": "bob@acme.example"}).json["scimType"] == "uniqueness"
    found = scim(office, "GET", '/Users?filter=userName%20eq%20"BOB@acme.example"').json
    assert (found["totalResults"], found["Resources"][0]["externalId"]) == (1, "00u9")
    key = office.make_key(Key(name="bob-key", organisation="acme", user="bob@acme.example"))
    headers = {"authorization": f"Bearer {key.secret}"}
    assert office.served.chat(headers, model="demo").status == 200
    off = {"Operations": [{"op": "replace", "value": {"active": False}}]}
    assert scim(office, "PATCH", "/Users/bob@acme.example", off).json["active"] is False
    assert office.served.chat(headers, model="demo").status == 401
    scim(office, "PUT", "/Users/bob@acme.example", {"userName": "bob@acme.example", "active": True})
    assert office.served.chat(headers, model="demo").status == 200
    gone = scim(office, "DELETE", "/Users/bob@acme.example")
    assert (gone.status, gone.body) == (204, b"")
    assert office.served.chat(headers, model="demo").status == 401
    assert scim(office, "GET", "/Users/bob@acme.example").status == 404


def test_a_group_is_a_team_and_its_members_are_in_it(office: Office) -> None:
    made = scim(office, "POST", "/Groups", {"displayName": "Data Science", "members": [{"value": "eve"}]})
    assert (made.status, made.json["id"]) == (201, "data-science")
    assert teams(office, "eve") == {"shop": "member", "data-science": "member"}
    swap = {
        "Operations": [
            {"op": "remove", "path": 'members[value eq "eve"]'},
            {"op": "add", "path": "members", "value": [{"value": "member-user"}]},
        ]
    }
    assert [one["value"] for one in scim(office, "PATCH", "/Groups/data-science", swap).json["members"]] == [
        "member-user"
    ]
    assert teams(office, "eve") == {"shop": "member"}
    unknown = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "nobody"}]}]}
    assert scim(office, "PATCH", "/Groups/data-science", unknown).status == 400
    assert scim(office, "DELETE", "/Groups/data-science").status == 204
    assert teams(office, "member-user") == {}
    assert scim(office, "DELETE", "/Groups/shop").status == 409  # it has keys and apps


def teams(office: Office, name: str) -> dict[str, str]:
    found = find_entity(office.engine, "user", "acme", name)
    assert isinstance(found, User)
    return found.teams


def test_who_may(office: Office) -> None:
    for who in ("viewer", "member", "team-admin", "auditor", "service"):
        assert scim(office, "GET", "/Users", who=who).status == 403
    assert office.served.administer("GET", "/scim/v2/Users").status == 401
    assert scim(office, "GET", "/Users", who="admin").status == 200


def test_another_organisation_is_not_there(office: Office) -> None:
    scim(office, "POST", "/Users", {"userName": "theirs"}, who="other:owner")
    assert scim(office, "GET", "/Users/theirs").status == 404
    assert scim(office, "DELETE", "/Users/theirs").status == 404
    names = {one["id"] for one in scim(office, "GET", "/Users").json["Resources"]}
    assert "theirs" not in names
    assert scim(office, "POST", "/Users", {"userName": "theirs"}).status == 201


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"])
def test_what_it_can_is_said(office: Office, path: str) -> None:
    assert scim(office, "GET", path).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/Nothing", None, 404),
        ("PUT", "/Users", {}, 405),
        ("POST", "/Users/x", {}, 405),
        ("POST", "/Users", b"[", 400),
        ("POST", "/Groups", {"displayName": "!!!"}, 400),
        ("GET", "/Users?filter=x", None, 400),
        ("PATCH", "/Users/eve", {"Operations": [{"op": "replace", "path": "userName", "value": "x"}]}, 400),
    ],
)
def test_what_is_wrong_is_told_as_scim_does(office: Office, method: str, path: str, body: Any, status: int) -> None:
    refused = scim(office, method, path, body)
    assert (refused.status, refused.json["status"]) == (status, str(status))
    assert refused.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


def test_acts_are_on_record(office: Office) -> None:
    scim(office, "POST", "/Users", {"userName": "bob"})
    records = office.ask("auditor", "GET", "/audit?kind=user.create").json["data"]
    assert records[0]["record"]["detail"] == {"name": "bob", "by": "scim"}
