from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from dragoman.access.principal import Principal
from dragoman.access.roles import FIELDS, OWN_KEY_FIELDS, PERMISSIONS, ROLES, is_within, may, permissions_of, unwritable
from dragoman.config.entities import KINDS, Kind, Role
from dragoman.config.schema import Key


def holder(*permissions: str, **fields: str) -> Principal:
    return Principal(key_id="k", name="k", permissions=frozenset(permissions), **fields)  # type: ignore[arg-type]


def test_roles_hold_nothing_but_permissions() -> None:
    assert set().union(*ROLES.values()) == set(PERMISSIONS)
    assert ROLES["owner"] == set(PERMISSIONS)
    for role in ("member", "viewer", "service", "auditor"):
        assert not any(name.endswith(".write") or name == "roles.grant" for name in ROLES[role]), role


def test_every_field_that_can_be_written_has_a_permission() -> None:
    for kind in get_args(Kind):
        fields = {one.name for one in msgspec.structs.fields(KINDS[kind])}
        # What an organisation grants itself is said by those who run the gateway alone.
        assert FIELDS[kind].keys() == fields - ({"grants"} if kind == "organisation" else set()), kind
    assert FIELDS["key"].keys() == set(Key.__struct_fields__) - {"secret", "hash", "admin"} | {"disabled"}
    assert set().union(*(table.values() for table in FIELDS.values())) <= set(PERMISSIONS)
    assert FIELDS["key"].keys() >= OWN_KEY_FIELDS
    assert not OWN_KEY_FIELDS & {"role", "without_guardrails", "allow_no_log"}


def test_an_unknown_role_may_nothing() -> None:
    assert permissions_of("", "acme", {}) == frozenset()
    assert permissions_of("nobody", "acme", {}) == frozenset()


def test_a_role_counts_where_it_was_made() -> None:
    roles = {
        ("acme", "smith"): Role(name="smith", organisation="acme", permissions=("keys.write", "no.such")),
        ("", "clerk"): Role(name="clerk", permissions=("usage.read",)),
    }
    assert permissions_of("smith", "acme", roles) == {"keys.write"}
    assert permissions_of("smith", "other", roles) == frozenset()
    assert permissions_of("clerk", "other", roles) == {"usage.read"}


def test_an_operator_may_everything_everywhere() -> None:
    operator = Principal(key_id="k", name="k", admin=True)
    assert all(may(operator, permission) for permission in PERMISSIONS)
    assert is_within(operator, "acme", ())
    assert unwritable(operator, "key", ["admin"]) == []


@pytest.mark.parametrize(
    ("team", "organisation", "teams", "seen"),
    [
        ("", "acme", (), True),
        ("", "acme", ("t",), True),
        ("", "other", (), False),
        ("", "", (), False),
        ("t", "acme", ("t", "u"), True),
        ("t", "acme", ("u",), False),
        ("t", "acme", (), False),
        ("t", "other", ("t",), False),
    ],
)
def test_where_somebody_may_look(team: str, organisation: str, teams: tuple[str, ...], *, seen: bool) -> None:
    assert is_within(holder(organisation="acme", team=team), organisation, teams) is seen


def test_a_field_needs_its_permission() -> None:
    assert unwritable(holder("keys.write"), "key", ["name", "budget_usd", "role", "admin"]) == [
        "budget_usd",
        "role",
        "admin",
    ]
    assert unwritable(holder("keys.write", "limits.write"), "key", ["budget_usd"]) == []
