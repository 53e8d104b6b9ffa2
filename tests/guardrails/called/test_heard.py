from __future__ import annotations

from dragoman.dialects.canonical import BlockStarted, Citation, Cited, Delta, Finished, Opaque, Passed, Text, ToolCall
from dragoman.guardrails.called.heard import Heard
from dragoman.guardrails.verdict import Passage


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
        Passage("output", "Other", "assistant"),
        Passage("tool_arguments", 'buy\n{"a": 1}', "assistant"),
        *(Passage("output", text, "assistant") for text in ("x", "deep", "y", "deeper")),
        Passage("output", "as said", "assistant"),
    ]


def test_nothing_is_nothing() -> None:
    heard = Heard()
    heard.note(BlockStarted(index=0, block=Text(text="")))
    assert heard.passages == []
