from __future__ import annotations

from typing import Any

import pytest
from tests.endpoints.admin.office import Office

from dragoman.access.secret import check_secret
from dragoman.config.schema import Key


def chat(office: Office, secret: str) -> int:
    return office.served.chat({"authorization": f"Bearer {secret}"}, model="demo").status


def test_a_key_is_made_used_changed_rotated_and_revoked(office: Office) -> None:
    made = office.ask("owner", "POST", "/keys", {"name": "ci", "team": "shop", "allow": ["demo"], "budget_usd": 5})
    assert made.status == 201, made.json
    secret, one = made.json.pop("secret"), f"/keys/{made.json['id']}"
    assert check_secret(secret)
    assert chat(office, secret) == 200
    read = office.ask("owner", "GET", one)
    assert read.json == {name: value for name, value in made.json.items() if name != "secret"}
    assert "secret" not in read.json
    assert (read.json["organisation"], read.json["state"]) == ("acme", "in force")
    assert office.ask("owner", "GET", one, if_none_match=read.headers["etag"]).status == 304
    changed = office.ask("owner", "PATCH", one, {"allow": ["x*"], "disabled": True}, if_match=read.headers["etag"])
    assert (changed.status, changed.json["allow"], changed.json["state"]) == (200, ["x*"], "disabled")
    assert office.ask("owner", "PATCH", one, {"name": "x"}, if_match=read.headers["etag"]).status == 412
    assert chat(office, secret) == 401
    assert office.ask("owner", "PATCH", one, {"allow": ["*"], "disabled": False}).json["state"] == "in force"
    rotated = office.ask("owner", "POST", f"{one}/rotate", {"overlap_s": 0})
    assert (rotated.status, chat(office, secret), chat(office, rotated.json["secret"])) == (200, 401, 200)
    assert office.ask("owner", "DELETE", one).json == {"object": "key", "id": made.json["id"], "deleted": True}
    assert chat(office, rotated.json["secret"]) == 401
    assert office.ask("owner", "GET", one).json["state"] == "revoked"
    for method, path in (("PATCH", one), ("DELETE", one), ("POST", f"{one}/rotate")):
        assert office.ask("owner", method, path, {}).status in (404, 409)


def test_lists_are_of_one_s_own(office: Office) -> None:
    everybody = office.ask("operator", "GET", "/keys?limit=200").json["data"]
    acme = office.ask("viewer", "GET", "/keys").json["data"]
    assert {key["organisation"] for key in everybody} == {"", "acme", "other"}
    assert {key["organisation"] for key in acme} == {"acme"}
    assert [key["name"] for key in office.ask("member", "GET", "/keys").json["data"]] == ["member"]
    assert {key["team"] for key in office.ask("team-admin", "GET", "/keys").json["data"]} == {"shop"}
    assert [key["name"] for key in office.ask("owner", "GET", "/keys?app=till").json["data"]] == ["nobody"]
    parts = [office.ask("owner", "GET", "/keys?limit=4").json]
    while parts[-1]["next"]:
        parts.append(office.ask("owner", "GET", f"/keys?limit=4&after={parts[-1]['next']}").json)
    assert [key["id"] for part in parts for key in part["data"]] == [key["id"] for key in acme]


def test_another_s_key_is_not_there(office: Office) -> None:
    theirs = office.keys["other:member"].key.id
    known = office.ask("owner", "GET", f"/keys/{theirs}")
    unknown = office.ask("owner", "GET", "/keys/key_0000000000000000")
    assert known.status == unknown.status == 404
    same = {**known.json["error"], "request_id": "", "message": known.json["error"]["message"].replace(theirs, "ID")}
    other = {**unknown.json["error"], "request_id": ""}
    assert same == other | {"message": other["message"].replace("key_0000000000000000", "ID")}


def test_a_name_in_another_organisation_says_nothing(office: Office) -> None:
    office.make_key(Key(name="hidden", organisation="other"))
    assert office.ask("owner", "POST", "/keys", {"name": "hidden"}).status == 201
    assert office.ask("owner", "POST", "/keys", {"name": "hidden"}).code == "name_taken"


def test_members_make_keys_of_their_own(office: Office) -> None:
    made = office.ask("member", "POST", "/keys", {"name": "mine", "tags": ["x"]})
    assert (made.status, made.json["user"], made.json["role"]) == (201, "member-user", "")
    assert office.ask("member", "PATCH", f"/keys/{made.json['id']}", {"allow": ["demo"]}).status == 200
    assert office.ask("member", "POST", "/keys", {"name": "x", "user": "eve"}).status == 404
    assert office.ask("member", "POST", "/keys", {"name": "x", "team": "lab"}).code == "team_not_found"
    assert office.ask("member", "PATCH", f"/keys/{made.json['id']}", {"team": "lab"}).code == "team_not_found"
    office.ask("owner", "PATCH", "/users/member-user", {"teams": {"lab": "member"}})
    assert office.ask("member", "POST", "/keys", {"name": "in-lab", "team": "lab"}).status == 201
    for field, value in (("role", "member"), ("admin", True), ("without_guardrails", ["*"]), ("allow_no_log", True)):
        refused = office.ask("member", "POST", "/keys", {"name": "x", field: value})
        assert (refused.status, refused.json["error"]["param"]) == (403, field)
    assert office.ask("member", "DELETE", f"/keys/{office.keys['owner'].key.id}").status == 404
    assert office.ask("member", "DELETE", f"/keys/{made.json['id']}").status == 200


@pytest.mark.parametrize(
    ("has", "asks"),
    [
        ({"allow": ("demo",)}, {"allow": ["*"]}),
        ({"models": ("rehearsal/*",)}, {"models": ["*"]}),
        ({"budget_usd": 1.0}, {"budget_usd": 2}),
        ({"budget_usd": 1.0}, {}),
        ({"max_request_usd": 0.1}, {}),
        ({"expires": "2030-01-01T00:00:00Z"}, {"expires": "2031-01-01T00:00:00Z"}),
        ({"expires": "2030-01-01T00:00:00Z"}, {}),
        ({"ip_ranges": ("127.0.0.0/8",)}, {}),
        ({}, {"role": "owner"}),
        ({}, {"admin": True}),
        ({}, {"allow_no_log": True}),
    ],
)
def test_nobody_makes_a_key_that_may_more(office: Office, has: dict[str, Any], asks: dict[str, Any]) -> None:
    fields = {"name": "narrow", "organisation": "acme", "role": "admin"}
    maker = office.make_key(Key(**fields | has))
    office.keys["narrow"] = maker
    refused = office.ask("narrow", "POST", "/keys", {"name": "x"} | asks)
    assert refused.status == 403, refused.json
    assert refused.code in ("more_than_own", "field_not_allowed")
    wide = office.make_key(Key(name="wide", organisation="acme", allow_no_log=True))
    if not asks or "role" in asks:
        return
    assert office.ask("narrow", "PATCH", f"/keys/{wide.key.id}", asks).status in (200, 403)
    assert office.ask("narrow", "POST", f"/keys/{wide.key.id}/rotate", {}).status == 403, "whose secret it would get"


def test_a_role_without_money_sets_no_budget(office: Office) -> None:
    office.ask("owner", "POST", "/roles", {"name": "locksmith", "permissions": ["keys.write", "keys.read"]})
    office.keys["locksmith"] = office.make_key(Key(name="locksmith", organisation="acme", role="locksmith"))
    assert office.ask("locksmith", "POST", "/keys", {"name": "x"}).status == 201
    refused = office.ask("locksmith", "POST", "/keys", {"name": "y", "budget_usd": 5})
    assert (refused.code, refused.json["error"]["param"]) == ("field_not_allowed", "budget_usd")


def test_who_sets_budgets_gives_keys_to_nobody(office: Office) -> None:
    office.ask("owner", "POST", "/roles", {"name": "purser", "permissions": ["keys.own", "keys.read", "limits.write"]})
    office.keys["purser"] = office.make_key(Key(name="purser", organisation="acme", role="purser"))
    theirs = office.keys["nobody"].key.id
    assert office.ask("purser", "PATCH", f"/keys/{theirs}", {"budget_usd": 5}).status == 200
    for fields in ({"user": "eve"}, {"team": "lab"}, {"app": "bench"}):
        assert office.ask("purser", "PATCH", f"/keys/{theirs}", fields).status in (403, 404), fields
        assert office.ask("purser", "POST", "/keys", {"name": "x"} | fields).status == 404, fields


def test_keys_are_of_what_is_there(office: Office) -> None:
    for field in ("team", "user", "app", "role"):
        refused = office.ask("operator", "POST", "/keys", {"name": "x", "organisation": "acme", field: "nowhere"})
        assert (refused.status, refused.json["error"]["param"]) == (400, field)
    assert office.ask("operator", "POST", "/keys", {"name": "x", "organisation": "nowhere"}).status == 400
    assert office.ask("owner", "POST", "/keys", {"name": "x", "organisation": "other"}).status == 404
    assert office.ask("owner", "POST", "/keys", {"name": "x", "expires": "soon"}).json["error"]["param"] == "expires"


def test_a_leaked_secret_is_good_no_more(office: Office) -> None:
    leaked = office.keys["nobody"]
    told = office.ask("viewer", "POST", "/keys/leaked", {"secret": leaked.secret})
    assert (told.status, told.json["id"], told.json["disabled_reason"]) == (200, leaked.key.id, "leaked")
    assert chat(office, leaked.secret) == 401
    assert office.ask("viewer", "POST", "/keys/leaked", {"secret": "dgk_unknown"}).status == 404
    records = office.ask("operator", "GET", "/audit?kind=key.leaked").json["data"]
    assert [one["record"]["detail"]["key"] for one in records] == [leaked.key.id]
