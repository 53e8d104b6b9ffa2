from __future__ import annotations

from dragoman.realtime.speech.spoken import Piece, Spoken, blanked, part, put


def test_a_text_is_put_into_a_copy() -> None:
    frame = {"a": [{"b": "x", "c": 1}], "d": {}}
    assert put(frame, ("a", 0, "b"), "y") == {"a": [{"b": "y", "c": 1}], "d": {}}
    assert frame["a"] == [{"b": "x", "c": 1}]


def test_pieces_are_taken_out() -> None:
    pieces = [Piece(("s",), "text", ("a", at), text) for at, text in enumerate("xy")]
    assert blanked({"a": ["x", "y", "z"]}, pieces) == {"a": ["", "", "z"]}


def test_an_object_within_others() -> None:
    assert part({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert part({"a": []}, "a", "b") == {}


def test_what_belongs_to_nothing_is_alone() -> None:
    assert Spoken().is_alone
    assert not Spoken("r").is_alone
    assert not Spoken(pieces=[Piece(("s",), "text", (), "x")]).is_alone
