from __future__ import annotations

from dragoman.endpoints.admin.operation import Answer, Operation, etag_of, missing


def operation(path: str, *, is_slash_free: bool = True) -> Operation:
    return Operation(
        id="x",
        method="GET",
        path=path,
        summary="",
        permissions=(),
        run=lambda _: Answer(None),
        answer=dict,
        is_slash_free=is_slash_free,
    )


def test_a_path_names_what_it_is_about() -> None:
    pattern = operation("/keys/{id}/rotate").pattern
    match = pattern.fullmatch("/admin/v1/keys/key_1/rotate")
    assert match is not None and match["id"] == "key_1"
    assert pattern.fullmatch("/admin/v1/keys/a/b/rotate") is None
    assert operation("/limits/{name}", is_slash_free=False).pattern.fullmatch("/admin/v1/limits/a/b") is not None
    assert operation("/a.b").pattern.fullmatch("/admin/v1/axb") is None


def test_a_tag_is_of_what_is_shown() -> None:
    assert etag_of({"a": 1, "b": 2}) == etag_of({"b": 2, "a": 1})
    assert etag_of({"a": 1}) != etag_of({"a": 2})
    assert etag_of({}).startswith('"')


def test_what_is_missing_has_a_code() -> None:
    assert missing("team", "x").error_code == "team_not_found"
