from __future__ import annotations

from typing import Any

import pytest
from tests.endpoints.admin.office import Office

from dragoman.config.entities import KINDS

SAMPLES: dict[str, dict[str, Any]] = {
    "organisation": {"name": "new", "title": "New"},
    "team": {"name": "new", "organisation": "acme", "grants": {"allow": ["demo*"]}},
    "user": {
        "name": "new@acme.example",
        "organisation": "acme",
        "email": "new@acme.example",
        "teams": {"shop": "viewer"},
    },
    "app": {"name": "new", "organisation": "acme", "team": "shop"},
    "role": {"name": "new", "organisation": "acme", "permissions": ["usage.read"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_made_read_changed_and_removed(office: Office, kind: str) -> None:
    sample = SAMPLES[kind]
    made = office.ask("operator", "POST", f"/{kind}s", sample)
    assert made.status == 201, made.json
    assert made.json.items() >= ({"object": kind} | sample).items()
    one = f"/{kind}s/{sample['name']}?organisation=acme"
    read = office.ask("operator", "GET", one)
    assert (read.status, read.json, read.headers["etag"]) == (200, made.json, made.headers["etag"])
    changed = office.ask("operator", "PATCH", one, {"title": "Changed"}, if_match=read.headers["etag"])
    assert (changed.status, changed.json) == (200, made.json | {"title": "Changed"})
    assert changed.headers["etag"] != read.headers["etag"]
    assert office.ask("operator", "PATCH", one, {"title": "x"}, if_match=read.headers["etag"]).status == 412
    assert office.ask("operator", "DELETE", one, if_match=read.headers["etag"]).status == 412
    gone = office.ask("operator", "DELETE", one)
    assert (gone.status, gone.json) == (200, {"object": kind, "id": sample["name"], "deleted": True})
    assert office.ask("operator", "GET", one).status == 404
    assert office.ask("operator", "DELETE", one).code == f"{kind}_not_found"


def test_a_list_comes_in_parts(office: Office) -> None:
    seen: list[str] = []
    after = ""
    for _ in range(20):
        page = office.ask("owner", "GET", f"/users?limit=3&after={after}").json
        seen += [one["name"] for one in page["data"]]
        assert len(page["data"]) <= 3
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(seen)
    assert seen == [one["name"] for one in office.ask("owner", "GET", "/users").json["data"]]
    assert len(seen) == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "after=zz", "after=!", "nothing=1", "limit=1&limit=2"]
)
def test_a_list_that_cannot_be_given(office: Office, query: str) -> None:
    assert office.ask("owner", "GET", f"/teams?{query}").status == 400


def test_names_are_given_once(office: Office) -> None:
    again = office.ask("owner", "POST", "/teams", {"name": "shop"})
    assert (again.status, again.code) == (409, "name_taken")
    built_in = office.ask("owner", "POST", "/roles", {"name": "admin", "permissions": []})
    assert (built_in.status, built_in.code) == (409, "name_taken")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/teams", {"name": "a b"}, "name"),
        ("/teams", {"name": "x", "nothing": 1}, "nothing"),
        ("/teams", {"name": "x", "grants": {"max_retries": -1}}, "grants.max_retries"),
        ("/teams", {"name": "x", "grants": {"ip_ranges": ["10.0.0.0/33"]}}, "grants.ip_ranges"),
        ("/apps", {"name": "x", "team": "nowhere"}, "team"),
        ("/users", {"name": "x", "teams": {"nowhere": "member"}}, "team"),
        ("/roles", {"name": "x", "permissions": ["everything"]}, "permissions"),
        ("/teams", {}, "name"),
        ("/teams", b"[]", None),
        ("/teams", b"{", None),
        ("/teams", b"[" * 100_000, None),
    ],
)
def test_what_is_wrong_is_named(office: Office, path: str, body: Any, param: str | None) -> None:
    refused = office.ask("operator", "POST", path, body)
    assert (refused.status, refused.json["error"]["param"]) == (400, param), refused.json


def test_what_it_is_cannot_be_changed(office: Office) -> None:
    for fields in ({"name": "other"}, {"organisation": "other"}):
        assert office.ask("operator", "PATCH", "/teams/shop?organisation=acme", fields).status == 400


def test_what_is_in_use_stays(office: Office) -> None:
    assert office.ask("owner", "DELETE", "/teams/shop").code == "still_used"
    assert office.ask("owner", "DELETE", "/roles/smith").code == "still_used"
    assert office.ask("operator", "DELETE", "/organisations/acme").code == "still_used"
    assert office.ask("owner", "DELETE", "/roles/admin").code == "permission_denied"


def test_built_in_roles_are_among_the_roles(office: Office) -> None:
    names = [one["name"] for one in office.ask("viewer", "GET", "/roles").json["data"]]
    assert names == ["admin", "auditor", "member", "owner", "service", "viewer", "smith"]
    assert office.ask("viewer", "GET", "/roles/owner").json["title"] == "built in"


def test_nobody_says_what_they_may_themselves(office: Office) -> None:
    for fields in ({"role": "owner"}, {"teams": {"shop": "owner"}}, {"grants": {}}):
        assert office.ask("admin", "PATCH", "/users/admin-user", fields).code == "own_rights"
    assert office.ask("admin", "PATCH", "/users/admin-user", {"title": "Me"}).status == 200
    assert office.ask("team-admin", "PATCH", "/teams/shop", {"grants": {}}).status == 403


def test_nobody_grants_what_they_lack(office: Office) -> None:
    assert office.ask("admin", "POST", "/users", {"name": "x", "role": "owner"}).code == "more_than_own"
    assert office.ask("admin", "PATCH", "/users/eve", {"teams": {"shop": "owner"}}).code == "more_than_own"
    assert office.ask("admin", "PATCH", "/users/eve", {"teams": {"shop": "admin"}}).status == 200
    assert office.ask("owner", "POST", "/users", {"name": "x", "role": "owner"}).status == 201


def test_a_team_s_admin_sees_the_team(office: Office) -> None:
    names = {
        kind: [one["name"] for one in office.ask("team-admin", "GET", f"/{kind}").json["data"]]
        for kind in ("teams", "apps", "users")
    }
    assert names == {"teams": ["shop"], "apps": ["till"], "users": ["eve"]}
    assert office.ask("team-admin", "GET", "/apps/bench").status == 404
    made = office.ask("team-admin", "POST", "/apps", {"name": "kiosk"})
    assert (made.status, made.json["team"], made.json["organisation"]) == (201, "shop", "acme")
    assert office.ask("team-admin", "POST", "/apps", {"name": "x", "team": "lab"}).status == 404
    assert office.ask("team-admin", "POST", "/teams", {"name": "x"}).status == 403


def test_what_is_disabled_is_served_no_more(office: Office) -> None:
    key = office.keys["nobody"].secret
    assert office.served.chat({"authorization": f"Bearer {key}"}, model="demo").status == 200
    assert office.ask("owner", "PATCH", "/apps/till", {"disabled": True}).status == 200
    assert office.served.chat({"authorization": f"Bearer {key}"}, model="demo").status == 401
    assert office.ask("owner", "PATCH", "/apps/till", {"disabled": False}).status == 200
    assert office.served.chat({"authorization": f"Bearer {key}"}, model="demo").status == 200


def test_what_a_team_is_granted_holds_for_its_keys_at_once(office: Office) -> None:
    key = office.keys["nobody"].secret
    office.ask("owner", "PATCH", "/teams/shop", {"grants": {"providers": ["openai"]}})
    refused = office.served.chat({"authorization": f"Bearer {key}"}, model="demo")
    assert (refused.status, refused.code) == (403, "model_not_allowed")
    listed = office.served.get("/v1/models", authorization=f"Bearer {key}").json["data"]
    assert listed == []
