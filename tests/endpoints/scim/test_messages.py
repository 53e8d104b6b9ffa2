from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.endpoints.scim.messages import ScimError, changed, listed, matches, read_filter

GROUP: dict[str, Any] = {"displayName": "G", "members": [{"value": "a"}, {"value": "b"}]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", None),
        ('userName eq "eve"', ("username", "eve")),
        ('USERNAME EQ "a \\"b\\""', ("username", 'a "b"')),
        ('emails.value eq "x@y.example"', ("emails.value", "x@y.example")),
    ],
)
def test_filters(text: str, wanted: Any) -> None:
    assert read_filter(text) == wanted


@pytest.mark.parametrize(
    "text", ["userName", "userName co x", 'a eq "b" or c eq "d"', "userName eq 'x'", 'password eq "x"']
)
def test_other_filters_are_refused(text: str) -> None:
    with pytest.raises(ScimError) as refused:
        matches({}, read_filter(text))
    assert refused.value.kind == "invalidFilter"


def test_texts_are_compared_whatever_their_case() -> None:
    user = {"id": "Eve", "userName": "Eve", "externalId": "X1", "emails": [{"value": "Eve@a.example"}]}
    assert matches(user, ("username", "eve"))
    assert matches(user, ("emails.value", "eve@A.example"))
    assert matches(user, ("externalid", "X1"))
    assert not matches(user, ("externalid", "x1"))
    assert not matches({}, ("externalid", "x"))


@pytest.mark.parametrize(
    ("query", "start", "shown"),
    [
        ({}, 1, [1, 2, 3]),
        ({"startIndex": "2", "count": "1"}, 2, [2]),
        ({"startIndex": "0", "count": "-1"}, 1, []),
        ({"startIndex": "9"}, 9, []),
    ],
)
def test_lists_begin_at_one(query: dict[str, str], start: int, shown: list[int]) -> None:
    found: Any = listed([1, 2, 3], query)  # type: ignore[list-item]
    assert (found["totalResults"], found["startIndex"], found["Resources"]) == (3, start, shown)
    with pytest.raises(ScimError):
        listed([], {"count": "many"})


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "Add", "path": "members", "value": [{"value": "c"}]}, ["a", "b", "c"]),
        ({"op": "replace", "path": "members", "value": [{"value": "c"}]}, ["c"]),
        ({"op": "remove", "path": 'members[value eq "a"]'}, ["b"]),
        ({"op": "remove", "path": "members", "value": [{"value": "b"}]}, ["a"]),
        ({"op": "remove", "path": "members"}, []),
        ({"op": "replace", "value": {"members": [{"value": "c"}]}}, ["c"]),
    ],
)
def test_members_come_and_go(operation: dict[str, Any], after: list[str]) -> None:
    told = changed(GROUP, {"Operations": [operation]})
    assert [one["value"] for one in told["members"]] == after
    assert [one["value"] for one in GROUP["members"]] == ["a", "b"]


def test_attributes_are_put_in_place() -> None:
    operations = [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": "name.formatted", "value": "Eve"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "e@a.example"},
        {"op": "remove", "path": "externalId"},
    ]
    told = changed({"active": True, "externalId": "x"}, {"Operations": operations})
    assert told == {
        "active": "False",
        "displayName": "Eve",
        "emails": [{"value": "e@a.example", "primary": True}],
        "externalId": "",
    }


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"Operations": []},
        {"Operations": [1]},
        {"Operations": [{"op": 1}]},
        {"Operations": [{"op": "steal", "path": "active"}]},
        {"Operations": [{"op": "remove"}]},
        {"Operations": [{"op": "add", "value": 1}]},
        {"Operations": [{"op": "add", "path": "password", "value": "x"}]},
    ],
)
def test_what_is_no_change(patch: dict[str, Any]) -> None:
    with pytest.raises(ScimError):
        changed({}, patch)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(
    JSON,
    st.sampled_from(["add", "replace", "remove", "x"]),
    st.text(max_size=12) | st.sampled_from(["members", "active"]),
)
def test_nothing_that_is_sent_breaks_it(value: Any, op: str, path: str) -> None:
    try:
        changed(GROUP, {"Operations": [{"op": op, "path": path, "value": value}]})
    except ScimError as error:
        assert error.status == 400
