"""Requests and answers of OpenAI's chat that say nothing but texts, which most do: their texts, in a fifth of the time.

What has anything else (tools, pictures, thoughts, another format) is left to the dialect's reader. Both find the same
texts, which a test holds them to on recorded traffic.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dragoman.guardrails.verdict import Passage


class _Message(Struct, forbid_unknown_fields=True, gc=False):
    role: Literal["system", "developer", "user", "assistant"]
    content: str


class _Request(Struct, gc=False):
    messages: list[_Message]
    tools: Any = UNSET
    functions: Any = UNSET
    response_format: Any = UNSET
    web_search_options: Any = UNSET


class _Said(Struct, forbid_unknown_fields=True, gc=False):
    role: str = ""
    content: str | None = None
    refusal: str | None = None
    annotations: list[Any] | UnsetType = UNSET


class _Choice(Struct, gc=False):
    message: _Said
    index: int = 0


class _Answer(Struct, gc=False):
    choices: list[_Choice]


_request = msgspec.json.Decoder(_Request).decode
_answer = msgspec.json.Decoder(_Answer).decode


def of_chat(raw: bytes) -> list[Passage] | None:
    """The texts of a request; ``None``: it says more than texts, or asks for more, and has to be read."""
    try:
        asked = _request(raw)
    except msgspec.DecodeError:
        return None
    if not (asked.tools is asked.functions is asked.response_format is asked.web_search_options is UNSET):
        return None
    return [Passage("input", one.content, one.role) for one in asked.messages if one.content] or None


def of_completion(body: bytes) -> list[Passage] | None:
    """The texts of an answer; ``None``: it says more than texts, and has to be read."""
    try:
        choices = _answer(body).choices
    except msgspec.DecodeError:
        return None
    said = [one.message for one in choices]
    if not said or any(one.annotations or (one.content is None and one.refusal is None) for one in said):
        return None
    return [
        Passage("output", text, "assistant", choice.index)
        for choice in choices
        for text in (choice.message.content, choice.message.refusal)
        if text
    ]
