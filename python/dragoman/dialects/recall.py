"""What a model proved of a turn with tool calls, for clients whose dialect has no place for it, or that drop it.

Most programs written for OpenAI's chat send back an assistant's message as text and calls alone. Without the proofs of
that turn Gemini refuses the next request, and Claude thinks anew. So they are gathered as the answer passes, kept by
the id of the turn's first call, and put back where that call comes again bare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.canonical import Block, Message, Proof, Reasoning, Text, ToolCall


class Turn(Struct, frozen=True, kw_only=True):
    """What is kept of one."""

    first_call: str
    reasoning: tuple[Reasoning, ...] = ()
    proofs: dict[str, Proof] = {}  # by the id of the call


class Gatherer:
    """Gathers a turn, block by block."""

    def __init__(self) -> None:
        self.first_call = ""
        self.reasoning: list[Reasoning] = []
        self.proofs: dict[str, Proof] = {}
        self.thinks = False  # whether the open block is reasoning
        self._call = ""  # the open block's, if it is a call

    def started(self, block: Block) -> None:
        """A block begins, or is there whole."""
        self.thinks = isinstance(block, Reasoning)
        self._call = ""
        if isinstance(block, Reasoning):
            self.reasoning.append(block)
        elif isinstance(block, ToolCall):
            self._call = block.id
            self.first_call = self.first_call or block.id
            if block.proof is not None:
                self.proved(block.proof)

    def thought(self, text: str) -> None:
        """A piece of the open reasoning."""
        last = self.reasoning[-1]
        self.reasoning[-1] = replace(last, text=last.text + text)

    def proved(self, proof: Proof) -> None:
        """The proof of the open block."""
        if self.thinks:
            self.reasoning[-1] = replace(self.reasoning[-1], proof=proof)
        elif self._call:
            self.proofs[self._call] = proof

    @property
    def turn(self) -> Turn | None:
        """The turn; ``None`` where it has no calls, or nothing is proved of it."""
        proved = self.proofs or any(one.proof is not None for one in self.reasoning)
        if not self.first_call or not proved:
            return None
        return Turn(first_call=self.first_call, reasoning=tuple(self.reasoning), proofs=self.proofs)


def turn_of(blocks: Iterable[Block]) -> Turn | None:
    """The turn that a whole answer is."""
    gatherer = Gatherer()
    for block in blocks:
        gatherer.started(block)
    return gatherer.turn


def recalled(messages: Sequence[Message], find: Callable[[str], Turn | None]) -> tuple[Message, ...]:
    """The messages, with what was proved of those turns that come without any proof.

    :param find: by the id of a turn's first call.
    """
    return tuple(_recalled(message, find) for message in messages)


def _recalled(message: Message, find: Callable[[str], Turn | None]) -> Message:
    if message.role != "assistant":
        return message
    first = next((block.id for block in message.blocks if isinstance(block, ToolCall)), "")
    if not first or any(_is_proved(block) for block in message.blocks):
        return message
    turn = find(first)
    return message if turn is None else replace(message, blocks=(*turn.reasoning, *_proved(message.blocks, turn)))


def _is_proved(block: Block) -> bool:
    return isinstance(block, Reasoning | ToolCall | Text) and block.proof is not None


def _proved(blocks: Iterable[Block], turn: Turn) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, ToolCall) and block.id in turn.proofs:
            yield replace(block, proof=turn.proofs[block.id])
        elif not (isinstance(block, Reasoning) and turn.reasoning):  # it stands before all, whole
            yield block
