from __future__ import annotations

from tests.endpoints.admin.office import Office

from dragoman.access.roles import PERMISSIONS, ROLES
from dragoman.config.schema import Key


def test_every_level_is_named_and_what_comes_of_them(office: Office) -> None:
    office.ask("operator", "PATCH", "/organisations/acme", {"grants": {"allow": ["demo*", "gpt*"], "max_retries": 1}})
    office.ask("owner", "PATCH", "/teams/shop", {"grants": {"allow": ["demo"]}})
    key = office.keys["nobody"].key.id
    told = office.ask("owner", "GET", f"/effective?key={key}&alias=demo").json
    assert [level["level"] for level in told["levels"]] == ["organisation", "team", "app", "key"]
    assert told["all_of"]["allow"] == [["demo*", "gpt*"], ["demo"]]
    assert (told["caps"]["max_retries"], told["tenant"], told["permissions"]) == (1, "acme", [])
    assert told["decision"] == {
        "alias": "demo",
        "allowed": True,
        "refused_by": None,
        "deployments": ["up0"],
    }
    refused = office.ask("owner", "GET", f"/effective?key={key}&alias=gpt-4o").json["decision"]
    assert (refused["allowed"], refused["refused_by"]) == (False, "team shop")
    unknown = office.ask("owner", "GET", "/effective?alias=gpt-9").json["decision"]
    assert (unknown["allowed"], unknown["refused_by"]) == (False, "model_not_found")


def test_one_s_own_rights_need_no_permission(office: Office) -> None:
    assert office.ask("member", "GET", "/effective").json["permissions"] == sorted(ROLES["member"])
    assert office.ask("operator", "GET", "/effective").json["permissions"] == sorted(PERMISSIONS)
    assert office.ask("member", "GET", f"/effective?key={office.keys['nobody'].key.id}").status == 404
    assert office.ask("owner", "GET", f"/effective?key={office.keys['other:nobody'].key.id}").status == 404


def test_a_child_shows_its_parent(office: Office) -> None:
    office.keys["parent"] = parent = office.make_key(Key(name="parent", organisation="acme", allow=("demo*",)))
    made = office.served.ask("POST", "/v1/keys", b"{}", authorization=f"Bearer {parent.secret}").json
    told = office.ask("owner", "GET", f"/effective?key={made['id']}").json
    assert [level["name"] for level in told["levels"]] == ["acme", "parent", made["name"]]


def test_permissions_are_listed(office: Office) -> None:
    assert office.ask("member", "GET", "/permissions").json["permissions"] == PERMISSIONS


def test_which_tool_servers_may_be_called_is_told_with_the_level_that_refuses(office: Office) -> None:
    office.ask("operator", "PATCH", "/organisations/acme", {"grants": {"mcp_servers": ["git*"]}})
    key = office.make_key(Key(name="tools", organisation="acme", team="shop", mcp_servers=("github", "wiki")))
    told = {
        server: office.ask("owner", "GET", f"/effective?key={key.key.id}&mcp_server={server}").json["mcp_decision"]
        for server in ("github", "gitlab", "wiki")
    }
    refusing = {server: decided["refused_by"] for server, decided in told.items()}
    assert refusing == {"github": None, "gitlab": "key tools", "wiki": "organisation acme"}
    principal = office.served.gateway.keys.by_id(key.key.id)
    assert principal is not None
    assert {server: principal.may_call(server) for server in told} == {
        server: decided["allowed"] for server, decided in told.items()
    }
