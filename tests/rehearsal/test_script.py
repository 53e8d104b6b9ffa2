from __future__ import annotations

import pytest

from dragoman.errors import InvalidRequest
from dragoman.rehearsal.script import Break, Cut, Malformed, Refuse, Script, Stall, overlay


def test_later_sources_overlay_earlier_ones_field_by_field() -> None:
    script = overlay({"jitter": 0.1, "tokens": 5}, ("header", b'{"tokens":6,"cut":3}'), ("body", b'{"cut":4}'))
    assert (script.jitter, script.tokens, script.early_end) == (0.1, 6, Cut(after_chunks=4))


def test_no_source_and_null_are_no_script() -> None:
    assert overlay({}, ("header", None), ("body", b"null")) == Script()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b'{"refuze":429}', "refuze"),
        (b'{"stall":{"after":1}}', "after"),
        (b'{"refuse":200}', "400"),
        (b'{"jitter":2}', "jitter"),
        (b'{"tokens":0}', "tokens"),
        (b"[1]", "object"),
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_wrong_field_is_refused_by_name(source: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        overlay({}, ("rehearsal", source))
    assert caught.value.param == "rehearsal"


def test_shorthands_stand_for_the_whole_mapping() -> None:
    script = Script(refuse=429, stall=2.5, cut=3, malformed=4, error=5)
    assert script.refusal == Refuse(status=429)
    assert script.silence == Stall(seconds=2.5)
    assert script.early_end == Cut(after_chunks=3)
    assert script.garbage == Malformed(after_chunks=4)
    assert script.late_error == Break(after_chunks=5)


def test_zero_is_a_position_not_an_absence() -> None:
    script = overlay({}, ("body", b'{"cut":0,"stall":0,"error":0,"malformed":0}'))
    assert script.early_end == Cut(after_chunks=0)
    assert script.silence == Stall(seconds=0)
    assert script.late_error == Break(after_chunks=0)
    assert script.garbage == Malformed(after_chunks=0)


def test_spared_keeps_all_but_the_faults() -> None:
    assert Script(refuse=500, stall=1.0, cut=1, malformed=1, error=1, tokens=7).spared() == Script(tokens=7)
