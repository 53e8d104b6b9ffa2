from __future__ import annotations

from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Citation,
    Cited,
    Delta,
    Event,
    Finished,
    Opaque,
    Passed,
    Reasoning,
    Text,
    ToolCall,
)
from dragoman.guardrails.heard import Heard
from dragoman.guardrails.verdict import Passage
from dragoman.guardrails.window import OVERLAP


def test_all_that_a_stream_says() -> None:
    heard = Heard()
    for event in (
        BlockStarted(index=0, block=Text(text="")),
        Delta(index=0, text="Hel"),
        Delta(index=0, text="lo"),
        Delta(index=0, text="Other", choice=1),
        BlockStarted(index=1, block=ToolCall(id="c", name="buy", arguments="")),
        Delta(index=1, text='{"a":'),
        Delta(index=1, text=" 1}"),
        BlockStarted(index=2, block=Opaque(dialect="d", type="t", raw={"x": "deep"})),
        Passed(dialect="d", type="t", raw={"y": ["deeper"]}),
        Cited(index=0, citation=Citation(cited_text="as said")),
        Finished(stop="stop"),
    ):
        heard.note(event)
    assert heard.passages == [
        Passage("output", "Hello", "assistant"),
        Passage("output", "Other", "assistant", 1),
        Passage("tool_arguments", 'buy\n{"a": 1}', "assistant"),
        *(Passage("output", text, "assistant", aside=True) for text in ("x", "deep", "y", "deeper")),
        Passage("output", "as said", "assistant", aside=True),
    ]
    assert heard.said == "Hello"


def text(*pieces: str, index: int = 0) -> list[Event]:
    return [BlockStarted(index=index, block=Text(text="")), *(Delta(index=index, text=piece) for piece in pieces)]


def test_a_window_begins_with_the_end_of_what_came_before() -> None:
    heard = Heard()
    for event in text("a" * 300, "b" * 300):
        heard.note(event)
    assert heard.unseen == 600
    assert [passage.text for passage in heard.window()] == ["a" * 300 + "b" * 300]
    assert (heard.unseen, heard.window()) == (0, [])
    heard.note(Delta(index=0, text="c"))
    assert [passage.text for passage in heard.window()] == ["b" * OVERLAP + "c"]


def test_a_call_is_in_no_window_before_it_is_whole() -> None:
    heard = Heard()
    call = BlockStarted(index=1, block=ToolCall(id="c", name="buy", arguments=""))
    for event in (call, Delta(index=1, text='{"what": "' + "x" * 900)):
        heard.note(event)
    assert (heard.unseen, heard.window()) == (0, [])
    for event in (Delta(index=1, text='y"}'), BlockStopped(index=1)):
        heard.note(event)
    ((place, said),) = ((passage.place, passage.text) for passage in heard.window())
    assert (place, said) == ("tool_arguments", 'buy\n{"what": "' + "x" * 900 + 'y"}')
    assert heard.unseen == 0


def test_what_a_model_thinks_stands_aside() -> None:
    heard = Heard()
    heard.note(BlockStarted(index=0, block=Reasoning(text="")))
    heard.note(Delta(index=0, text="Hm."))
    assert ([passage.aside for passage in heard.passages], heard.said) == ([True], "")


def test_nothing_is_nothing() -> None:
    heard = Heard()
    heard.note(BlockStarted(index=0, block=Text(text="")))
    assert heard.passages == []
