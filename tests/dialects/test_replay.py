from __future__ import annotations

import pytest
from tests.guardrails.test_reveal import ASKED

from dragoman.dialects.canonical import Answer, Block, Choice, Opaque, Reasoning, Refusal, Text, ToolCall, Usage
from dragoman.dialects.dialect import Asked
from dragoman.dialects.matrix import target_of
from dragoman.dialects.replay import events_of
from dragoman.dialects.table import DIALECTS
from dragoman.guardrails.coverage import frames
from dragoman.guardrails.heard import Heard

CALL = ToolCall(id="call_123456", name="tool", arguments='{"a":1}')
BLOCKS: dict[str, tuple[Block, ...]] = {
    "text": (Text(text="Hello."),),
    "a thought": (Reasoning(text="Hm."), Text(text="Hello.")),
    "a call": (Text(text="Well."), CALL),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("said", BLOCKS)
def test_a_whole_answer_is_told_as_a_stream(dialect: str, said: str) -> None:
    stop = "tool_calls" if said == "a call" else "stop"
    answer = Answer(
        dialect="", id="1", model="m", choices=(Choice(blocks=BLOCKS[said], stop=stop),), usage=Usage(input=1)
    )  # type: ignore[arg-type]
    writer = DIALECTS[dialect].writer(Asked(request=ASKED, request_id="req_1", created_s=1))
    wire = writer.write(events_of(answer)) + writer.finish()
    reader = DIALECTS[dialect].reader(target_of(dialect))
    heard = Heard()
    for event in reader.read(frames(DIALECTS[dialect], wire)) + reader.finish():
        heard.note(event)
    texts = [passage.text for passage in heard.passages if not passage.aside]
    assert texts == (["Hello."] if said != "a call" else ["Well.", 'tool\n{"a":1}'])


def test_what_comes_whole_comes_whole() -> None:
    block = Opaque(dialect="x", type="y", raw={})
    answer = Answer(dialect="", id="1", model="m", choices=(Choice(blocks=(block, Refusal(text="No.")), stop=None),))
    assert [type(event).__name__ for event in events_of(answer)] == [
        "Started",
        "BlockStarted",
        "BlockStopped",
        "BlockStarted",
        "Delta",
        "BlockStopped",
    ]
