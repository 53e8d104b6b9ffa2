"""What Mistral does otherwise than OpenAI, in a dialect that is nearly the same.

Ids of tool calls have nine letters or digits, fields it does not know are refused, some have other names, and reasoning
comes as chunks inside ``content``.
"""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Block, Json, Proof, Reasoning, Text
from dragoman.dialects.ids import nine_characters

# Fields of a message that it refuses.
_STRANGE = ("reasoning_content", "reasoning_details", "reasoning", "refusal", "annotations", "audio", "images")


def adjust_request(body: Json) -> Json:
    """A chat request's body, as Mistral takes it."""
    adjusted = {**body, "messages": [_message(message) for message in body.get("messages", ())]}
    if "seed" in adjusted:
        adjusted["random_seed"] = adjusted.pop("seed")
    if adjusted.get("tool_choice") == "required":
        adjusted["tool_choice"] = "any"
    return adjusted


def _message(message: Any) -> Any:
    if type(message) is not dict:
        return message
    kept = {name: value for name, value in message.items() if name not in _STRANGE}
    if kept.get("role") == "developer":
        kept["role"] = "system"
    if kept.get("role") == "assistant":
        kept.pop("name", None)
    if type(kept.get("tool_call_id")) is str:
        kept["tool_call_id"] = nine_characters(kept["tool_call_id"])
    calls = kept.get("tool_calls")
    if type(calls) is list:
        kept["tool_calls"] = [_call(call) for call in calls]
    return kept


def _call(call: Any) -> Any:
    if type(call) is not dict:
        return call
    kept = {name: value for name, value in call.items() if name not in ("index", "extra_content")}
    if type(kept.get("id")) is str:
        kept["id"] = nine_characters(kept["id"])
    return kept


def split_content(content: list[Any]) -> list[Block]:
    """Chunks of content as blocks: what was thought apart from what is said."""
    blocks: list[Block] = []
    for chunk in content:
        if type(chunk) is not dict:
            continue
        if chunk.get("type") == "thinking":
            signature = chunk.get("signature")
            proof = Proof(kind="signature", value=signature) if type(signature) is str and signature else None
            blocks.append(Reasoning(text=_joined(chunk.get("thinking")), proof=proof))
        elif type(chunk.get("text")) is str:
            blocks.append(Text(text=chunk["text"]))
    return blocks


def _joined(chunks: Any) -> str:
    if type(chunks) is str:
        return chunks
    if type(chunks) is not list:
        return ""
    texts = [chunk.get("text") for chunk in chunks if type(chunk) is dict]
    return "".join(text for text in texts if type(text) is str)
