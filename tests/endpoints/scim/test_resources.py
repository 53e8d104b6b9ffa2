from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.entities import Team, User
from dragoman.endpoints.scim.messages import ScimError
from dragoman.endpoints.scim.resources import (
    members_of,
    read_group,
    read_user,
    shown_group,
    shown_user,
    slug_of,
    with_team,
)

SENT = {
    "userName": "eve@acme.example",
    "externalId": "00u1",
    "name": {"givenName": "Eve", "familyName": "Smith"},
    "emails": [{"value": "old@acme.example"}, {"value": "eve@acme.example", "primary": True}],
    "active": True,
}


def test_a_user_comes_back_as_it_was_sent() -> None:
    user = read_user(SENT, "acme")
    assert (user.name, user.title, user.email, user.disabled) == (
        "eve@acme.example",
        "Eve Smith",
        "eve@acme.example",
        False,
    )
    shown = shown_user(user, "/scim/v2")
    assert shown.items() >= {"userName": "eve@acme.example", "externalId": "00u1", "active": True}.items()
    assert read_user(shown, "acme", user) == user


def test_what_is_not_said_stays() -> None:
    before = User(name="eve", organisation="acme", role="admin", teams={"shop": "admin"}, email="e@a.example")
    after = read_user({"active": False}, "acme", before)
    assert after == User(
        name="eve", organisation="acme", role="admin", teams={"shop": "admin"}, email="e@a.example", disabled=True
    )


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ({}, "invalidValue"),
        ({"userName": "a b"}, "invalidValue"),
        ({"userName": 1}, "invalidValue"),
        ({"userName": "a", "active": "maybe"}, "invalidValue"),
        ({"userName": "a", "emails": [{"value": "nobody"}]}, "invalidValue"),
    ],
)
def test_what_is_no_user(resource: dict[str, Any], kind: str) -> None:
    with pytest.raises(ScimError) as refused:
        read_user(resource, "acme")
    assert refused.value.kind == kind


def test_names_stay() -> None:
    with pytest.raises(ScimError) as refused:
        read_user({"userName": "bob"}, "acme", User(name="eve"))
    assert refused.value.kind == "mutability"


def test_groups_are_teams() -> None:
    team = read_group({"displayName": "Platform Admins", "externalId": "g1"}, "acme")
    assert (team.name, team.title) == ("platform-admins", "Platform Admins")
    shown = shown_group(team, ["eve"], "/scim/v2")
    assert (shown["id"], shown["displayName"], shown["externalId"]) == ("platform-admins", "Platform Admins", "g1")
    assert members_of(shown) == ["eve"]
    renamed = read_group({"displayName": "Admins"}, "acme", team)
    assert (renamed.name, renamed.title) == ("platform-admins", "Admins")
    assert read_group({}, "acme", team) == team
    with pytest.raises(ScimError):
        read_group({}, "acme")
    with pytest.raises(ScimError):
        members_of({"members": "eve"})


@given(st.text(min_size=1, max_size=300))
def test_a_group_s_name_makes_a_team_s_or_is_refused(title: str) -> None:
    try:
        assert isinstance(read_group({"displayName": title}, "acme"), Team)
    except ScimError as error:
        assert error.kind == "invalidValue"
    assert len(slug_of(title)) <= 128


def test_a_role_in_a_team_stays() -> None:
    user = User(name="eve", teams={"shop": "admin"})
    assert with_team(user, "shop", is_member=True) is user
    assert with_team(user, "lab", is_member=True).teams == {"shop": "admin", "lab": "member"}
    assert with_team(user, "shop", is_member=False).teams == {}
