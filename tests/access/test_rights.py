from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.principal import Principal
from dragoman.access.rights import Entities, explained, role_of, within
from dragoman.config.entities import App, Grants, Organisation, Role, Team, User


def key(**fields: Any) -> Principal:
    return Principal(**{"key_id": "k", "name": "n", "organisation": "acme"} | fields)


def placed(principal: Principal, *entities: Any) -> Principal:
    found = within(principal, Entities(entities))
    assert found is not None
    return found


def test_a_name_alone_changes_nothing() -> None:
    principal = key(team="t", user="u", app="a")
    assert within(principal, Entities()) is principal
    assert within(principal, Entities([Organisation(name="other"), Team(name="t")])) is principal


def test_every_level_narrows() -> None:
    principal = placed(
        key(team="t", allow=("gpt-*", "x"), surfaces=("chat", "embeddings")),
        Organisation(name="acme", grants=Grants(allow=("gpt-4*", "claude*"), ip_ranges=("10.0.0.0/8",))),
        Team(name="t", organisation="acme", grants=Grants(surfaces=("chat",), ip_ranges=("10.1.0.0/16",))),
    )
    assert [alias for alias in ("gpt-4o", "gpt-5", "claude", "x") if principal.may_use(alias)] == ["gpt-4o"]
    assert principal.may_come_from("10.1.2.3:5")
    assert not principal.may_come_from("10.2.2.3:5")
    principal.permit("chat")
    with pytest.raises(Exception, match="embeddings"):
        principal.permit("embeddings")


def test_caps_are_the_least_of_all() -> None:
    grants = Grants(max_retries=1, max_request_usd=0.5, allow_fallbacks=False, lossy="strict")
    principal = placed(
        key(user="u", max_retries=3, max_deadline_s=9), User(name="u", organisation="acme", grants=grants)
    )
    assert (principal.max_retries, principal.max_deadline_s, principal.max_request_usd) == (1, 9, 0.5)
    assert (principal.allow_fallbacks, principal.allow_cache_knobs, principal.lossy) == (False, True, "strict")
    assert not principal.allow_no_log  # which the key has not, whatever is granted


def test_a_guardrail_is_spared_where_everybody_above_says_so() -> None:
    entities = [
        Organisation(name="acme", grants=Grants(without_guardrails=("pii*",))),
        Team(name="t", organisation="acme"),
    ]
    assert placed(key(without_guardrails=("pii-1",)), *entities).is_spared("pii-1")
    assert not placed(key(without_guardrails=("*",)), *entities).is_spared("toxicity")
    assert not placed(key(team="t", without_guardrails=("pii-1",)), *entities).is_spared("pii-1")
    assert not placed(key(), *entities).is_spared("pii-1")
    assert key(without_guardrails=("*",)).is_spared("anything")


@pytest.mark.parametrize("disabled", ["organisation", "team", "user", "app"])
def test_a_key_of_what_is_disabled_is_not_in_force(disabled: str) -> None:
    entities = [
        Organisation(name="acme", disabled=disabled == "organisation"),
        Team(name="t", organisation="acme", disabled=disabled == "team"),
        User(name="u", organisation="acme", disabled=disabled == "user"),
        App(name="a", organisation="acme", disabled=disabled == "app"),
    ]
    assert within(key(team="t", user="u", app="a"), Entities(entities)) is None


def test_a_role_is_no_more_than_its_owner_s() -> None:
    entities = [
        User(name="u", organisation="acme", role="viewer", teams={"t": "admin"}),
        App(name="a", organisation="acme"),
        Role(name="smith", organisation="acme", permissions=("keys.write",)),
    ]
    assert "keys.write" in placed(key(user="u", team="t", role="admin"), *entities).permissions
    assert "keys.write" not in placed(key(user="u", role="admin"), *entities).permissions
    assert placed(key(user="u", role="smith"), *entities).permissions == frozenset()
    assert placed(key(role="smith"), *entities).permissions == {"keys.write"}
    assert placed(key(app="a", role="admin"), *entities).permissions == {"keys.own"}
    assert placed(key(role="no-such"), *entities).permissions == frozenset()
    assert role_of(User(name="u", role="viewer", teams={"t": "admin"}), "other") == "viewer"


def test_the_levels_are_explained_in_order() -> None:
    entities = Entities([Organisation(name="acme", grants=Grants(allow=("a*",))), App(name="a", organisation="acme")])
    levels = explained(placed(key(app="a"), *[Organisation(name="acme")]), entities)
    assert [(level["level"], level["name"]) for level in levels] == [
        ("organisation", "acme"),
        ("app", "a"),
        ("key", "n"),
    ]
    assert levels[0]["grants"]["allow"] == ("a*",)


LISTS = st.lists(st.text("ab*?", min_size=1, max_size=3), min_size=1, max_size=3).map(tuple)


@given(LISTS, LISTS, LISTS, st.text("ab", max_size=4))
def test_what_may_be_used_is_what_all_allow(one: Any, two: Any, three: Any, alias: str) -> None:
    principal = placed(
        key(team="t", allow=one),
        Organisation(name="acme", grants=Grants(allow=two)),
        Team(name="t", organisation="acme", grants=Grants(allow=three)),
    )
    each = (key(allow=patterns).may_use(alias) for patterns in (one, two, three))
    assert principal.may_use(alias) is all(each)
