"""Undoes in the answer what a request's writer did to the tools: names, emulated kinds, an answer given as a call.

A target that has no custom tools gets a function with one string, one that has no answer by schema gets a function that
the model must call with it, and a name that is too long gets a shorter one. The client sees none of it.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Answer,
    Block,
    BlockStarted,
    BlockStopped,
    Choice,
    Delta,
    Event,
    Finished,
    Text,
    ToolCall,
)
from dragoman.dialects.fields import object_of

# The field that holds the text of a custom tool's call.
CUSTOM_FIELD = "input"


class Undo(Struct, frozen=True, kw_only=True):
    """What was done to a request's tools."""

    renamed: dict[str, str] = {}  # as sent -> as the client knows it
    custom: frozenset[str] = frozenset()  # custom tools sent as functions, by the client's names
    answer_tool: str = ""  # the function whose arguments are the answer's text


def undo_answer(answer: Answer, undo: Undo) -> Answer:
    """The answer, as if nothing had been done."""
    if not (undo.renamed or undo.custom or undo.answer_tool):
        return answer
    return replace(answer, choices=tuple(_choice(choice, undo) for choice in answer.choices))


def _choice(choice: Choice, undo: Undo) -> Choice:
    blocks = tuple(_block(block, undo) for block in choice.blocks)
    called = any(type(block) is ToolCall for block in blocks)
    stop = "stop" if choice.stop == "tool_calls" and not called else choice.stop
    return replace(choice, blocks=blocks, stop=stop)


def _block(block: Block, undo: Undo) -> Block:
    if type(block) is not ToolCall:
        return block
    if undo.answer_tool and block.name == undo.answer_tool:
        return Text(text=block.arguments)
    name = undo.renamed.get(block.name, block.name)
    if name in undo.custom:
        return replace(block, name=name, kind="custom", arguments=_custom_text(block.arguments))
    return block if name == block.name else replace(block, name=name)


def _custom_text(arguments: str) -> str:
    value = (object_of(arguments) or {}).get(CUSTOM_FIELD)
    return value if isinstance(value, str) else arguments


class UndoStream:
    """The same for the events of one stream."""

    def __init__(self, undo: Undo) -> None:
        self.undo = undo
        self.idle = not (undo.renamed or undo.custom or undo.answer_tool)
        self.called = False
        self.held: dict[tuple[int, int], list[str]] = {}  # arguments of open custom calls, to be read whole

    def events(self, events: list[Event]) -> list[Event]:
        """The events, as if nothing had been done."""
        if self.idle:
            return events
        return [changed for event in events for changed in self._event(event)]

    def _event(self, event: Event) -> list[Event]:
        if type(event) is BlockStarted and type(event.block) is ToolCall:
            block = _block(replace(event.block, arguments=""), self.undo)
            if type(block) is ToolCall:
                self.called = True
                if block.kind == "custom" and event.block.kind == "function":
                    self.held[event.choice, event.index] = []
                    block = replace(block, arguments="")
            return [replace(event, block=block)]
        if type(event) is Delta and (event.choice, event.index) in self.held:
            self.held[event.choice, event.index].append(event.text)
            return []
        if type(event) is BlockStopped and (event.choice, event.index) in self.held:
            text = _custom_text("".join(self.held.pop((event.choice, event.index))))
            return [Delta(index=event.index, text=text, choice=event.choice), event]
        if type(event) is Finished and event.stop == "tool_calls" and not self.called:
            return [replace(event, stop="stop")]
        return [event]


def as_function(arguments: str) -> str:
    """A custom tool's text as the arguments of the function that stands for it."""
    return msgspec.json.encode({CUSTOM_FIELD: arguments}).decode()


CUSTOM_SCHEMA = {
    "type": "object",
    "properties": {CUSTOM_FIELD: {"type": "string"}},
    "required": [CUSTOM_FIELD],
}
