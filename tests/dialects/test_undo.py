from __future__ import annotations

from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    BlockStopped,
    Choice,
    Delta,
    Event,
    Finished,
    Stop,
    Text,
    ToolCall,
)
from dragoman.dialects.undo import Undo, UndoStream, as_function, undo_answer

NAMES = Undo(renamed={"get_weather_1": "get.weather"}, custom=frozenset({"patch"}))
SCHEMA = Undo(answer_tool="json")


def call(name: str, arguments: str) -> ToolCall:
    return ToolCall(id="c", name=name, arguments=arguments)


def answer(*blocks: ToolCall | Text, stop: Stop = "tool_calls") -> Answer:
    return Answer(dialect="d", id="i", model="m", choices=(Choice(blocks=blocks, stop=stop),))


def streamed(block: ToolCall, *pieces: str, stop: Stop = "tool_calls") -> list[Event]:
    return [
        BlockStarted(index=0, block=block),
        *(Delta(index=0, text=piece) for piece in pieces),
        BlockStopped(index=0),
        Finished(stop=stop),
    ]


def test_nothing_done_is_nothing_undone() -> None:
    whole = answer(call("f", "{}"))
    assert undo_answer(whole, Undo()) is whole
    events = streamed(call("f", ""), "{}")
    assert UndoStream(Undo()).events(events) is events


def test_names_come_back() -> None:
    (block,) = undo_answer(answer(call("get_weather_1", "{}")), NAMES).choices[0].blocks
    assert isinstance(block, ToolCall)
    assert block.name == "get.weather"
    (first, *_) = UndoStream(NAMES).events(streamed(call("get_weather_1", ""), "{}"))
    assert isinstance(first, BlockStarted)
    assert isinstance(first.block, ToolCall)
    assert first.block.name == "get.weather"


def test_a_custom_tool_s_text_comes_back() -> None:
    text = '*** Begin\n"quoted"'
    (block,) = undo_answer(answer(call("patch", as_function(text))), NAMES).choices[0].blocks
    assert block == ToolCall(id="c", name="patch", arguments=text, kind="custom")


def test_a_custom_tool_s_text_comes_back_from_a_stream_in_any_pieces() -> None:
    arguments = as_function("a\nb")
    for cut in range(len(arguments) + 1):
        stream = UndoStream(NAMES)
        events = streamed(call("patch", ""), arguments[:cut], arguments[cut:])
        found = [one for event in events for one in stream.events([event])]
        assert "".join(event.text for event in found if isinstance(event, Delta)) == "a\nb"
        assert sum(isinstance(event, BlockStopped) for event in found) == 1


def test_what_is_no_such_object_is_passed_on_as_it_is() -> None:
    (block,) = undo_answer(answer(call("patch", "{broken")), NAMES).choices[0].blocks
    assert isinstance(block, ToolCall)
    assert block.arguments == "{broken"


def test_an_answer_given_as_a_call_is_text_again() -> None:
    undone = undo_answer(answer(call("json", '{"a":1}')), SCHEMA).choices[0]
    assert undone.blocks == (Text(text='{"a":1}'),)
    assert undone.stop == "stop"
    events = UndoStream(SCHEMA).events(streamed(call("json", ""), '{"a"', ":1}"))
    assert isinstance(events[0], BlockStarted)
    assert events[0].block == Text(text="")
    assert isinstance(events[-1], Finished)
    assert events[-1].stop == "stop"


def test_beside_a_real_call_the_answer_still_waits_for_it() -> None:
    undone = undo_answer(answer(call("json", "{}"), call("f", "{}")), SCHEMA).choices[0]
    assert undone.stop == "tool_calls"
