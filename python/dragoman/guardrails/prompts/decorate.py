"""What is put around prompts: before, after, or in place of the system prompt or the user's last words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.dialects.canonical import Block, Message, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.config.prompting import Decorator

# Dialects whose instructions stand apart from the conversation.
APART = frozenset({"openai_responses", "anthropic", "bedrock_invoke", "vertex_claude", "gemini", "bedrock"})
INSTRUCTIONS = frozenset({"system", "developer"})
Messages = tuple[Message, ...]


def decorated(messages: Messages, decorators: Sequence[Decorator], dialect: str) -> Messages:
    """The conversation, with what is put around it."""
    for one in decorators:
        if one.to == "user":
            messages = _around_user(messages, one)
        else:
            if one.replace:
                messages = with_instructions(messages[leading(messages) :], one.replace, dialect, last=False)
            if one.prepend:
                messages = with_instructions(messages, one.prepend, dialect, last=False)
            if one.append:
                messages = with_instructions(messages, one.append, dialect, last=True)
    return messages


def leading(messages: Messages) -> int:
    """How many messages at the beginning are instructions."""
    return next((at for at, one in enumerate(messages) if one.role not in INSTRUCTIONS), len(messages))


def with_instructions(messages: Messages, text: str, dialect: str, *, last: bool) -> Messages:
    """Instructions added to those at the beginning, as the first of them or the last."""
    count, block = leading(messages), Text(text=text)
    at = count if last else 0
    if dialect not in APART:
        role = messages[0].role if count else "system"
        return (*messages[:at], Message(role=role, blocks=(block,)), *messages[at:])
    if not count or not messages[0].top:
        return (Message(role="system", blocks=(block,), top=True), *messages)
    top = messages[0]
    blocks = (*top.blocks, block) if last else (block, *top.blocks)
    return (replace(top, blocks=blocks), *messages[1:])


def _around_user(messages: Messages, one: Decorator) -> Messages:
    at = next((at for at in reversed(range(len(messages))) if messages[at].role == "user"), None)
    if at is None:
        return messages
    said = messages[at]
    kept = tuple(block for block in said.blocks if not one.replace or type(block) is not Text)
    blocks = _before(one.prepend, _before(one.replace, kept))
    if one.append and blocks and type(last := blocks[-1]) is Text:
        blocks = (*blocks[:-1], replace(last, text=f"{last.text}\n\n{one.append}"))
    elif one.append:
        blocks = (*blocks, Text(text=one.append))
    return (*messages[:at], replace(said, blocks=blocks), *messages[at + 1 :])


def _before(text: str, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Blocks with a text before them, which is of the first block if that is one: not all dialects have several."""
    if not text:
        return blocks
    if blocks and type(first := blocks[0]) is Text:
        return (replace(first, text=f"{text}\n\n{first.text}"), *blocks[1:])
    return (Text(text=text), *blocks)
