"""Who may do what: every role, every operation, every field that can be written, here and in another organisation.

The tables below are what is promised. They are written by hand: a new operation, field or role without its row fails.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.endpoints.admin.office import ACME, OTHER, WHO, Office

from dragoman.config.entities import KINDS, App, Entity, Organisation, Role, Team, User, organisation_of
from dragoman.config.limiting import Limit
from dragoman.config.schema import Key
from dragoman.endpoints.admin.table import OPERATIONS
from dragoman.store.entities import create_entity
from dragoman.store.limits import set_limit

EVERYBODY = "operator owner admin auditor member viewer service smith team-admin"
READERS = "operator owner admin auditor viewer team-admin"
ADMINS = "operator owner admin team-admin"
ABOVE = "operator owner admin"  # a team, its people and its roles are the organisation's business
MAY = {
    "list_organisation": READERS,
    "create_organisation": "operator",
    "get_organisation": ABOVE + " auditor viewer",
    "change_organisation": "operator owner",
    "delete_organisation": "operator",
    "list_team": READERS + " member",
    "create_team": ABOVE,
    "get_team": READERS + " member",
    "change_team": ABOVE,
    "delete_team": ABOVE,
    "list_user": READERS,
    "create_user": ABOVE,
    "get_user": READERS,
    "change_user": ABOVE,
    "delete_user": ABOVE,
    "list_app": READERS + " member",
    "create_app": ADMINS,
    "get_app": READERS + " member",
    "change_app": ADMINS,
    "delete_app": ADMINS,
    "list_role": READERS,
    "create_role": "operator owner",
    "get_role": READERS,
    "change_role": "operator owner",
    "delete_role": "operator owner",
    "list_keys": EVERYBODY,
    "create_key": ADMINS + " smith member service",
    "get_key": READERS + " smith",
    "change_key": ADMINS + " smith",
    "revoke_key": ADMINS + " smith",
    "rotate_key": ADMINS + " smith",
    "report_leaked_key": EVERYBODY,
    "list_limits": READERS,
    "get_limit": READERS,
    "set_limit": ADMINS + " smith",
    "remove_limit": ADMINS + " smith",
    "get_effective": EVERYBODY,
    "list_permissions": EVERYBODY,
    "search_audit": "operator owner admin auditor team-admin",
    "read_content": "operator owner",
    "get_usage": READERS,
    "list_configs": "operator",
    "get_config": "operator",
    "store_config": "operator",
    "roll_back_config": "operator",
}
"""Who may do it to what is in their own organisation, and in team shop."""
HIDDEN = {
    "get_key": "member service",
    "change_key": "member service",
    "revoke_key": "member service",
    "rotate_key": "member service",
    "get_organisation": "team-admin",
    "delete_organisation": "owner",
}
"""Who is told that it is not there, rather than that they may not: they may, to what is theirs."""
FIELDS = {
    "organisation": {"title metadata disabled": "operator owner", "grants": "operator"},
    "team": {"title metadata disabled grants": ABOVE},
    "user": {"title email metadata disabled role teams grants": ABOVE},
    "app": {"title team metadata disabled role grants": ADMINS},
    "role": {"title permissions": "operator owner"},
    "key": {
        "name team user app tags expires disabled": ADMINS + " smith",
        "allow models providers mcp_servers surfaces ip_ranges lossy max_deadline_s max_retries": ADMINS,
        "allow_fallbacks allow_cache_knobs": ADMINS,
        "allow_no_log without_guardrails": ADMINS,
        "budget_usd budget_per max_request_usd requests_per_minute tokens_per_minute max_concurrent": ADMINS + " smith",
        "role": ADMINS,
        "admin": "operator",
    },
}
"""Who may write a field of what is in their own organisation, and in team shop."""
FIXED = {"name", "organisation"}  # of what is not a key: what it is called, and where, is said once
VALUES: dict[str, Any] = {
    "title": "T",
    "metadata": {"k": "v"},
    "disabled": True,
    "grants": {"max_retries": 1},
    "email": "a@b.example",
    "teams": {"shop": "viewer"},
    "team": "shop",
    "user": "eve",
    "app": "till",
    "permissions": ["keys.read"],
    "name": "renamed",
    "tags": ["x"],
    "expires": "2030-01-01T00:00:00Z",
    "allow": ["demo"],
    "models": ["up0/*"],
    "providers": ["up0"],
    "mcp_servers": ["github"],
    "surfaces": ["chat"],
    "ip_ranges": ["10.0.0.0/8"],
    "lossy": "strict",
    "max_deadline_s": 5.0,
    "max_retries": 1,
    "allow_fallbacks": False,
    "allow_cache_knobs": False,
    "allow_no_log": False,
    "without_guardrails": [],
    "budget_usd": 5.0,
    "budget_per": "day",
    "max_request_usd": 1.0,
    "requests_per_minute": 5,
    "tokens_per_minute": 5,
    "max_concurrent": 5,
    "role": "service",
    "admin": False,
}
BY_ID = {operation.id: operation for operation in OPERATIONS}


def target(office: Office, kind: str, name: str, organisation: str) -> str:
    """Something new of a kind, in an organisation and in team shop: its name, or its id."""
    if kind == "key":
        fields = {"name": name, "organisation": organisation, "team": "shop", "allow_no_log": False}
        return office.make_key(Key(**fields)).key.id
    if kind == "limit":
        limit = {"applies_to": {"organisations": [organisation], "teams": ["shop"]}, "requests": 1}
        set_limit(office.engine, f"{organisation}/{name}", msgspec.convert(limit, Limit), now_ms=1)
        return f"{organisation}/{name}"
    made: dict[str, Entity] = {
        "organisation": Organisation(name=name),
        "team": Team(name=name, organisation=organisation),
        "user": User(name=name, organisation=organisation, teams={"shop": "member"}),
        "app": App(name=name, organisation=organisation, team="shop"),
        "role": Role(name=name, organisation=organisation, permissions=()),
    }
    create_entity(office.engine, made[kind], now_ms=1)
    assert organisation_of(made[kind]) in (organisation, name)
    return name


def asked(office: Office, operation_id: str, who: str, organisation: str) -> tuple[int, str]:
    """The status and the code that somebody gets who does it in an organisation."""
    operation = BY_ID[operation_id]
    kind = operation_id.rpartition("_")[2].removesuffix("s")
    name = f"{who}-{operation_id}"
    path, body = operation.path, None
    if kind == "organisation" and "{" in path:
        name = organisation if operation_id != "delete_organisation" else name
        thing = target(office, kind, name, name) if operation_id == "delete_organisation" else name
    elif operation_id == "read_content":
        key = office.make_key(Key(name=name, organisation=organisation, team="shop"))
        asked_for = office.served.chat({"authorization": f"Bearer {key.secret}"}, model="demo")
        thing = asked_for.headers["x-request-id"]
    elif "{" in path:
        # A team's own admin is asked about their own team.
        thing = "shop" if kind == "team" and who == "team-admin" else target(office, kind, name, organisation)
    else:
        thing = name
    if operation_id == "set_limit":
        thing = f"{organisation}/{name}"
        body = {"applies_to": {"organisations": [organisation], "teams": ["shop"]}, "requests": 1}
    elif operation_id.startswith("create_"):
        body = {"name": name} | ({"permissions": []} if kind == "role" else {})
        body |= {"organisation": organisation} if kind != "organisation" else {}
        body |= {"team": "shop"} if who == "team-admin" and kind in ("app", "key") else {}
    elif operation_id.startswith("change_"):
        body = {"title": "T"} if kind != "key" else {"tags": ["x"]}
    elif operation_id in ("rotate_key", "store_config", "roll_back_config"):
        body = {"rotate_key": {}, "store_config": {"body": ""}, "roll_back_config": {"version": 0}}[operation_id]
    elif operation_id == "report_leaked_key":
        body = {"secret": office.make_key(Key(name=name, organisation=organisation)).secret}
    path = path.replace("{name}", thing).replace("{id}", thing)
    if "organisation" in operation.query.__struct_fields__ and kind != "organisation":
        path += f"?organisation={organisation}"
    if operation_id == "read_content":
        path += "?reason=test"
    answer = office.ask(who, operation.method, path, body)
    return answer.status, answer.code if answer.status >= 400 else ""


def test_every_operation_has_its_row() -> None:
    assert set(MAY) == set(BY_ID)
    assert all(set(row.split()) <= set(WHO) for row in MAY.values())


def test_every_field_has_its_row() -> None:
    for kind, table in FIELDS.items():
        rows = [field for row in table for field in row.split()]
        assert len(rows) == len(set(rows))
        made = Key if kind == "key" else KINDS[kind]  # type: ignore[index]
        fields = {one.name for one in msgspec.structs.fields(made)} - {"secret", "hash"}
        assert set(rows) | FIXED == fields | {"disabled" if kind != "role" else "title"} | FIXED, kind


@pytest.mark.parametrize("operation_id", BY_ID)
def test_everybody_may_what_their_role_says_and_no_more(office: Office, operation_id: str) -> None:
    may, hidden = MAY[operation_id].split(), HIDDEN.get(operation_id, "").split()
    for who in WHO:
        status, code = asked(office, operation_id, who, ACME)
        if who in may:
            assert status in (200, 201), (who, status, code)
        elif who in hidden:
            assert status == 404, (who, status, code)
        else:
            assert (status, code) in ((403, "permission_denied"), (403, "field_not_allowed")), (who, status, code)


# These are about everything, or about nothing that is anybody's.
ANYWHERE = {
    "list_permissions",
    "get_effective",
    "report_leaked_key",
    "create_organisation",
    "list_organisation",
    "delete_organisation",
}


@pytest.mark.parametrize("operation_id", sorted(set(BY_ID) - ANYWHERE))
def test_what_is_another_organisation_s_is_not_there(office: Office, operation_id: str) -> None:
    for who in WHO:
        status, code = asked(office, operation_id, who, OTHER)
        if who == "operator":
            assert status in (200, 201), (who, status, code)
        elif who in MAY[operation_id].split() or who in HIDDEN.get(operation_id, "").split():
            assert status == 404 or (status, code) == (403, "permission_denied"), (who, status, code)
        else:
            assert status in (403, 404), (who, status, code)


@pytest.mark.parametrize("kind", FIELDS)
def test_a_field_is_written_by_those_who_may(office: Office, kind: str) -> None:
    for row, writers in FIELDS[kind].items():
        for field in row.split():
            for who in WHO:
                name = f"{who}-{field}".replace("_", "-")
                own_team = kind == "team" and who == "team-admin"
                place = ACME if kind == "organisation" else "shop" if own_team else target(office, kind, name, ACME)
                value = f"{VALUES[field]}-{who}" if field == "name" else VALUES[field]
                path = f"/{kind}s/{place}" + ("" if kind in ("organisation", "key") else f"?organisation={ACME}")
                answer = office.ask(who, "PATCH", path, {field: value})
                if who in writers.split():
                    assert answer.status == 200, (who, field, answer.json)
                    if kind == "organisation" and field in ("disabled", "grants"):
                        assert (
                            office.ask("operator", "PATCH", path, {field: False if field == "disabled" else {}}).status
                            == 200
                        )
                else:
                    assert answer.status in (403, 404), (who, field, answer.status)


def test_an_organisation_is_not_removed_from_within(office: Office) -> None:
    assert office.ask("owner", "DELETE", "/organisations/acme").code == "permission_denied"
