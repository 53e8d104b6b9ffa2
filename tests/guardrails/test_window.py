from __future__ import annotations

import random

import pytest

from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Citation,
    Cited,
    Delta,
    Event,
    Finished,
    Metered,
    Opaque,
    Passed,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.guardrails.verdict import Finding, Passage
from dragoman.guardrails.window import HELD, Window

BAD = "plutonium"


def refuses(found: list[Passage]) -> Finding | None:
    return Finding(reason="bad") if any(BAD in passage.text for passage in found) else None


def text(*pieces: str, index: int = 0) -> list[Event]:
    deltas = [Delta(index=index, text=piece) for piece in pieces]
    return [BlockStarted(index=index, block=Text(text="")), *deltas, BlockStopped(index=index)]


def call(*pieces: str, name: str = "tool") -> list[Event]:
    deltas = [Delta(index=1, text=piece) for piece in pieces]
    return [BlockStarted(index=1, block=ToolCall(id="i", name=name, arguments="")), *deltas, BlockStopped(index=1)]


def whole(events: list[Event]) -> list[Event]:
    return [Started(dialect="x"), *events, Finished(stop="stop"), Metered(usage=Usage())]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if type(event) is Delta)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_good_comes_whole_however_it_is_cut(seed: int) -> None:
    chance = random.Random(seed)
    words = "".join(chance.choices("abcdefg ", k=600))
    cuts = sorted(chance.choices(range(600), k=20))
    pieces = [words[a:b] for a, b in zip([0, *cuts], [*cuts, 600], strict=True)]
    events = whole(text(*pieces) + call('{"a"', ":1}"))
    window, passed = Window(refuses), []
    while events:
        count = chance.randrange(1, 6)
        passed += window.events(events[:count])
        events = events[count:]
        held = 600 - len(said(passed))
        assert held <= HELD or not events or any(type(event) is Delta for event in events) or held >= 0
    assert said(passed) == words + '{"a":1}'
    assert [type(event) for event in passed if type(event) is not Delta] == [
        type(event) for event in whole(text() + call())
    ]
    assert not window.cut


@pytest.mark.parametrize("size", [1, 3, 7, 50, 1000])
def test_nothing_bad_leaves_however_it_is_cut(size: int) -> None:
    words = "x" * 300 + " " + BAD + " and more"
    pieces = [words[at : at + size] for at in range(0, len(words), size)]
    window, passed = Window(refuses), []
    for event in whole(text(*pieces)):
        passed += window.events([event])
    assert window.cut
    assert set(said(passed)) <= {"x", " "}
    assert (passed[-1].stop, passed[-1].native_stop) == ("filter", "guardrail")  # type: ignore[union-attr]
    assert type(passed[-2]) is BlockStopped
    assert window.events([Delta(index=0, text="more")]) == []


def test_a_call_leaves_whole_or_not_at_all() -> None:
    window = Window(refuses)
    events = call('{"a": "plu', 'tonium"}')
    passed = [event for one in events for event in window.events([one])]
    assert [type(event) for event in passed] == [Finished]
    named = Window(refuses).events(call("{}", name=BAD))
    assert [type(event) for event in named] == [Finished]


@pytest.mark.parametrize(
    "event",
    [
        Passed(dialect="x", type="y", raw={"k": BAD}),
        Cited(index=0, citation=Citation(cited_text=BAD)),
        BlockStarted(index=2, block=Opaque(dialect="x", type="y", raw={"k": [BAD]})),
    ],
)
def test_what_comes_whole_is_looked_at(event: Event) -> None:
    window = Window(refuses)
    window.events(text("fine")[:2])
    passed = window.events([event])
    assert window.cut
    assert event not in passed
    assert Window(refuses).events([Passed(dialect="x", type="y", raw={"k": "fine"})]) != []


def test_a_look_does_not_wait_for_more() -> None:
    window = Window(refuses)
    start, piece, _ = text("plutoni")
    assert window.events([start, piece]) == [start]
    assert window.look() == []
    assert not window.cut
    window.events([Delta(index=0, text="um")])
    assert not window.cut, "so little is not looked at by itself"
    assert type(window.look()[-1]) is Finished
    assert window.cut
    assert window.look() == []
