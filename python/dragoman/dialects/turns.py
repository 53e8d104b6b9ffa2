"""What strict dialects want of a conversation: instructions apart, turns that alternate, results before text.

Anthropic, Bedrock and Gemini agree on it; OpenAI's dialects take messages in any order. So this is done when a request
is written, and a request that goes back to its own dialect is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.canonical import Block, Message, Text, ToolCall, ToolResult

# Before an assistant's first words, where somebody must have said something.
OPENING = Text(text="(continue)")


class Turn(Struct):
    """What one side says until the other does. ``system``: instructions in the middle, where a model takes them."""

    role: Literal["user", "assistant", "system"]
    blocks: list[Block]


def in_turns(messages: Sequence[Message], *, late_system: bool = False) -> tuple[list[Block], list[Turn]]:
    """The instructions that come first, and the turns after them.

    Each user turn begins with the results of the calls of the turn before, in the order of the calls. Empty text is
    left out, and turns that say nothing are. Later instructions are a turn of their own with ``late_system``; else they
    are said at the head of the user's next words.
    """
    system: list[Block] = []
    turns: list[Turn] = []
    waiting: list[Block] = []  # late instructions, until the user speaks
    for message in with_ids(messages):
        blocks = [block for block in message.blocks if not (type(block) is Text and not block.text and not block.proof)]
        if message.role in ("system", "developer"):
            if not turns:
                system += blocks
            elif late_system:
                _add(turns, "system", blocks)
            else:
                waiting += blocks
            continue
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if role == "user" and waiting and not all(type(block) is ToolResult for block in blocks):
            blocks, waiting = waiting + blocks, []
        _add(turns, role, blocks)
    if waiting:
        _add(turns, "user", waiting)
    for before, after in pairwise(turns):
        if after.role == "user":
            after.blocks = _results_first(before, after.blocks)
    if turns and turns[0].role == "assistant":
        turns.insert(0, Turn("user", [OPENING]))
    return system, turns


def _add(turns: list[Turn], role: Literal["user", "assistant", "system"], blocks: list[Block]) -> None:
    if turns and turns[-1].role == role:
        turns[-1].blocks += blocks
    elif blocks:
        turns.append(Turn(role, blocks))


def _results_first(before: Turn, blocks: list[Block]) -> list[Block]:
    results = [block for block in blocks if type(block) is ToolResult]
    if not results:
        return blocks
    order = {block.id: index for index, block in enumerate(before.blocks) if type(block) is ToolCall}
    results.sort(key=lambda result: order.get(result.call_id, len(order)))
    return [*results, *(block for block in blocks if type(block) is not ToolResult)]


def with_ids(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with an id at every call and result, each id used once.

    Gemini pairs calls and results by order and name, and small hosts number the calls of each turn from nought.
    """
    calls = [block for message in messages for block in message.blocks if type(block) is ToolCall]
    if len({call.id for call in calls if call.id}) == len(calls) and all(
        block.call_id for message in messages for block in message.blocks if type(block) is ToolResult
    ):
        return messages
    return _Paired().messages(messages)


class _Paired:
    """Gives ids by position."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.open: list[tuple[str, str, str]] = []  # id as it came, name, id as it is given
        self.number = 0

    def messages(self, messages: Sequence[Message]) -> list[Message]:
        """The same messages, paired."""
        return [replace(message, blocks=tuple(self._block(block) for block in message.blocks)) for message in messages]

    def _block(self, block: Block) -> Block:
        if type(block) is ToolCall:
            given = block.id
            if not given or given in self.used:
                self.number += 1
                given = f"{block.id or 'call'}_{self.number}"
            self.used.add(given)
            self.open.append((block.id, block.name, given))
            return block if given == block.id else replace(block, id=given)
        if type(block) is ToolResult:
            for index, (came, name, given) in enumerate(self.open):
                if came == block.call_id and (came or not block.name or name == block.name):
                    del self.open[index]
                    return block if given == block.call_id else replace(block, call_id=given)
        return block


def names_of_calls(messages: Sequence[Message]) -> dict[str, str]:
    """The tool's name by call id, for dialects whose results carry it."""
    return {block.id: block.name for message in messages for block in message.blocks if type(block) is ToolCall}
