from __future__ import annotations

from dragoman.dialects.canonical import Block, Message, Role, Text, ToolCall, ToolResult
from dragoman.dialects.turns import OPENING, in_turns, names_of_calls, with_ids


def message(role: Role, *blocks: Block | str) -> Message:
    return Message(role=role, blocks=tuple(Text(text=one) if isinstance(one, str) else one for one in blocks))


def call(call_id: str, name: str = "f") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments="{}")


def result(call_id: str, text: str = "", name: str = "") -> ToolResult:
    return ToolResult(call_id=call_id, content=(Text(text=text),), name=name)


def shape(turns: object) -> list[tuple[str, list[str]]]:
    assert isinstance(turns, list)
    return [
        (turn.role, [getattr(block, "text", getattr(block, "call_id", "call")) for block in turn.blocks])
        for turn in turns
    ]


def test_roles_that_follow_each_other_are_one_turn() -> None:
    system, turns = in_turns(
        [message("system", "s"), message("user", "a"), message("user", "b"), message("assistant", "c")]
    )
    assert [block.text for block in system if isinstance(block, Text)] == ["s"]
    assert shape(turns) == [("user", ["a", "b"]), ("assistant", ["c"])]


def test_edge_13_parallel_results_come_in_one_turn_in_the_order_of_the_calls() -> None:
    said = [
        message("user", "go"),
        message("assistant", call("a"), call("b")),
        message("tool", result("b")),
        message("tool", result("a")),
        message("user", "and?"),
    ]
    _, turns = in_turns(said)
    assert shape(turns)[-1] == ("user", ["a", "b", "and?"])


def test_text_before_a_result_comes_after_it() -> None:
    said = [message("user", "go"), message("assistant", call("a")), message("user", "thanks", result("a"))]
    _, turns = in_turns(said)
    assert shape(turns)[-1] == ("user", ["a", "thanks"])


def test_edge_15_empty_text_is_left_out() -> None:
    _, turns = in_turns([message("user", "go", ""), message("assistant", "", call("a")), message("user", "")])
    assert shape(turns) == [("user", ["go"]), ("assistant", ["call"])]


def test_an_assistant_who_begins_is_asked_first() -> None:
    _, turns = in_turns([message("assistant", "Hello"), message("user", "hi")])
    assert turns[0].blocks == [OPENING]


def test_late_instructions_are_said_with_the_user_s_next_words() -> None:
    said = [message("user", "a"), message("assistant", "b"), message("developer", "be brief"), message("user", "c")]
    _, turns = in_turns(said)
    assert shape(turns)[-1] == ("user", ["be brief", "c"])
    _, turns = in_turns(said, late_system=True)
    assert shape(turns)[2:] == [("system", ["be brief"]), ("user", ["c"])]


def test_late_instructions_do_not_come_between_a_call_and_its_result() -> None:
    said = [
        message("user", "a"),
        message("assistant", call("x")),
        message("system", "careful"),
        message("tool", result("x")),
    ]
    _, turns = in_turns(said)
    assert shape(turns)[-1] == ("user", ["x", "careful"])


def test_ids_that_are_missing_are_paired_by_order_and_name() -> None:
    said = [
        message("assistant", call("", "f"), call("", "g")),
        message("user", result("", name="g"), result("", name="f")),
    ]
    paired = with_ids(said)
    f, g = (block.id for block in paired[0].blocks if isinstance(block, ToolCall))
    assert [block.call_id for block in paired[1].blocks if isinstance(block, ToolResult)] == [g, f]
    assert f != g


def test_edge_48_ids_that_come_twice_are_told_apart_by_position() -> None:
    said = [
        message("assistant", call("0")),
        message("tool", result("0", "one")),
        message("assistant", call("0")),
        message("tool", result("0", "two")),
    ]
    paired = with_ids(said)
    ids = [block.id for one in paired for block in one.blocks if isinstance(block, ToolCall)]
    back = [block.call_id for one in paired for block in one.blocks if isinstance(block, ToolResult)]
    assert ids == back
    assert len(set(ids)) == 2


def test_good_ids_are_left_alone() -> None:
    said = [message("assistant", call("a")), message("tool", result("a"))]
    assert with_ids(said) is said
    assert names_of_calls(said) == {"a": "f"}
