from __future__ import annotations

from dragoman.dialects.canonical import Block, Message, Proof, Reasoning, Text, ToolCall
from dragoman.dialects.recall import Gatherer, Turn, recalled, turn_of

PROOF = Proof(kind="thought", value="p", family="google")
SIGNED = Proof(kind="signature", value="s", family="anthropic")


def call(call_id: str, proof: Proof | None = None) -> ToolCall:
    return ToolCall(id=call_id, name="f", arguments="{}", proof=proof)


def assistant(*blocks: Block) -> Message:
    return Message(role="assistant", blocks=blocks)


def test_a_turn_is_gathered_in_pieces() -> None:
    gatherer = Gatherer()
    gatherer.started(Reasoning())
    gatherer.thought("I ")
    gatherer.thought("think.")
    gatherer.proved(SIGNED)
    gatherer.started(Text(text=""))
    gatherer.proved(SIGNED)  # of the text: not kept
    gatherer.started(call("a"))
    gatherer.proved(PROOF)
    gatherer.started(call("b"))
    turn = Turn(first_call="a", reasoning=(Reasoning(text="I think.", proof=SIGNED),), proofs={"a": PROOF})
    assert gatherer.turn == turn
    assert turn_of([Reasoning(text="I think.", proof=SIGNED), call("a", PROOF), call("b")]) == turn


def test_what_is_not_proved_or_calls_nothing_is_not_kept() -> None:
    assert turn_of([Reasoning(text="I think."), call("a")]) is None
    assert turn_of([Reasoning(text="I think.", proof=SIGNED), Text(text="Hello.")]) is None


def test_a_turn_that_comes_bare_is_completed() -> None:
    turn = turn_of([Reasoning(text="x", proof=SIGNED), call("a"), call("b", PROOF)])
    assert turn is not None
    asked = Message(role="user", blocks=(Text(text="Hi"),))
    bare = assistant(Reasoning(text="x"), Text(text="So."), call("a"), call("b"))
    told = recalled([asked, bare], {"a": turn}.get)
    thought = Reasoning(text="x", proof=SIGNED)
    assert told == (asked, assistant(thought, Text(text="So."), call("a"), call("b", PROOF)))


def test_others_stay_as_they_are() -> None:
    turn = Turn(first_call="a", proofs={"a": PROOF})
    proved = assistant(Reasoning(text="y", proof=SIGNED), call("a"))
    others = (proved, assistant(call("z")), assistant(Text(text="Hello.")), Message(role="user", blocks=()))
    assert recalled(others, {"a": turn}.get) == others
