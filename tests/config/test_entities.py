from __future__ import annotations

import msgspec
import pytest

from dragoman.config.entities import KINDS, App, Grants, Organisation, Team, User, kind_of, organisation_of


def test_a_kind_is_told_by_its_type() -> None:
    assert [
        kind_of(made(name="n", **({"permissions": ()} if kind == "role" else {}))) for kind, made in KINDS.items()
    ] == [*KINDS]


def test_an_organisation_is_in_itself() -> None:
    assert organisation_of(Organisation(name="acme")) == "acme"
    assert organisation_of(Team(name="t", organisation="acme")) == "acme"
    assert organisation_of(Team(name="t")) == ""


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "a\n", "é", "x" * 129, ".", "a?b", "a%2e"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": name}, Organisation)


@pytest.mark.parametrize("name", ["a", "A-1", "eve@example.com", "x" * 128, "a.b:c+d"])
def test_what_is_one(name: str) -> None:
    assert msgspec.convert({"name": name}, User).name == name


@pytest.mark.parametrize(
    ("made", "fields", "field"),
    [
        (User, {"email": "nobody"}, "email"),
        (User, {"teams": {"a b": "member"}}, "teams"),
        (App, {"team": "a b"}, "team"),
        (Team, {"metadata": {"k": "v" * 513}}, "metadata"),
        (Team, {"grants": {"allow": [""]}}, "grants.allow"),
        (Team, {"grants": {"max_request_usd": 0}}, "grants.max_request_usd"),
        (Team, {"grants": {"role": "admin"}}, "grants"),
        (Team, {"admin": True}, "admin"),
    ],
)
def test_a_wrong_field_is_named(made: type, fields: dict[str, object], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field.partition(".")[0]):
        msgspec.convert({"name": "n"} | fields, made)


def test_grants_leave_out_what_they_do_not_narrow() -> None:
    assert msgspec.to_builtins(Grants(allow=("a",))) == {"allow": ("a",)}
    assert msgspec.json.decode(msgspec.json.encode(Grants()), type=Grants) == Grants()
