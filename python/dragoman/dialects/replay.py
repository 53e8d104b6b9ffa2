"""A whole answer told as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Cited,
    Delta,
    Finished,
    Metered,
    Proved,
    Reasoning,
    Refusal,
    Started,
    Text,
    ToolCall,
)

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Answer, Block, Event


def events_of(answer: Answer) -> list[Event]:
    """Its events, each block's text at once."""
    events: list[Event] = [
        Started(dialect="", id=answer.id, model=answer.model, created_s=answer.created_s, usage=answer.usage)
    ]
    for choice in answer.choices:
        for index, block in enumerate(choice.blocks):
            events += _of_block(block, index, choice.index)
        if choice.stop is not None:
            stop, native, sequence = choice.stop, choice.native_stop, choice.stop_sequence
            events.append(Finished(stop=stop, native_stop=native, stop_sequence=sequence, choice=choice.index))
    if answer.usage is not None:
        events.append(Metered(usage=answer.usage))
    return events


def _of_block(block: Block, index: int, choice: int) -> list[Event]:
    begun, text = _emptied(block)
    events: list[Event] = [BlockStarted(index=index, block=begun, choice=choice)]
    if text:
        events.append(Delta(index=index, text=text, choice=choice))
    if type(block) is Text:
        events += [Cited(index=index, citation=one, choice=choice) for one in block.citations]
    proof = getattr(block, "proof", None)
    if text and proof is not None:
        events.append(Proved(index=index, proof=proof, choice=choice))
    return [*events, BlockStopped(index=index, choice=choice)]


def _emptied(block: Block) -> tuple[Block, str]:
    """A block as it begins, and what is told of it then; some come whole."""
    if type(block) is ToolCall:
        return replace(block, arguments="", proof=None), block.arguments
    if type(block) is Text:
        return replace(block, text="", citations=(), proof=None), block.text
    if type(block) is Refusal or (type(block) is Reasoning and block.text):
        begun = replace(block, text="", proof=None) if type(block) is Reasoning else replace(block, text="")
        return begun, block.text
    return block, ""
