"""Carries a proof through a dialect of another family: sealed into the field that this dialect has for its own.

A client that speaks Anthropic's dialect replays ``signature`` unread, one that speaks Responses ``encrypted_content``.
What another family has proved is put there behind a tag, so that the client brings it back and the reader finds it. The
tag is not secret and the content is not trusted: whoever forges one only sends the provider a proof that it refuses.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import Block, Family, Message, Proof, Reasoning, Text, ToolCall

# Letters that base64 has, since some clients check that they can decode what they keep.
TAG = "ZHJhZ29tYW4x"
MAX_CHARS = 512 * 1024


def seal(proof: Proof) -> str:
    """The proof as text that any dialect's field can hold."""
    return TAG + base64.b64encode(msgspec.json.encode(proof)).decode()


def unseal(text: str, otherwise: Proof) -> Proof:
    """The proof that was sealed into a text; ``otherwise``, where it is the dialect's own."""
    if text.startswith(TAG) and len(text) <= MAX_CHARS:
        try:
            return msgspec.json.decode(base64.b64decode(text[len(TAG) :], validate=True), type=Proof)
        except (binascii.Error, msgspec.DecodeError, ValueError):
            pass
    return otherwise


def reunited(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, with proofs of calls that came as thoughts of their own back at their calls."""
    proofs: dict[str, Proof] = {}
    for message in messages:
        for block in message.blocks:
            if type(block) is Reasoning and block.proof is not None and block.proof.call_id:
                proofs[block.proof.call_id] = block.proof
    if not proofs:
        return tuple(messages)
    kept = (replace(message, blocks=tuple(_reunited(message.blocks, proofs))) for message in messages)
    return tuple(message for message in kept if message.blocks)


def _reunited(blocks: Sequence[Block], proofs: dict[str, Proof]) -> Iterator[Block]:
    for block in blocks:
        if type(block) is ToolCall and block.id in proofs:
            yield replace(block, proof=proofs[block.id])
        elif not (type(block) is Reasoning and block.proof is not None and block.proof.call_id):
            yield block


def own_proofs_only(messages: Sequence[Message], family: str, model: str) -> tuple[Message, ...]:
    """The messages, without the proofs that a model cannot read, and without the thoughts that only these prove."""
    return tuple(replace(message, blocks=tuple(_with_own_proof(message.blocks, family, model))) for message in messages)


def _with_own_proof(blocks: Sequence[Block], family: str, model: str) -> Iterator[Block]:
    for block in blocks:
        proof = block.proof if isinstance(block, Text | ToolCall | Reasoning) else None
        if proof is None or readable(proof, family, model) is not None:
            yield block
        elif not isinstance(block, Reasoning):
            yield replace(block, proof=None)


def readable(proof: Proof | None, family: str, model: str) -> Proof | None:
    """The proof, where the target's model can read it: made by its family, and by that model as far as is known."""
    if proof is None or proof.family != family:
        return None
    if proof.model and model and bare(proof.model) != bare(model):
        return None
    return proof


def bare(model: str) -> str:
    """A model's name without what providers put around it: regions, vendors, versions of the deployment."""
    name = model.rpartition("/")[2].lower()
    for prefix in ("us.", "eu.", "apac.", "global.", "us-gov."):
        name = name.removeprefix(prefix)
    name = name.removeprefix("anthropic.").partition("@")[0].partition(":")[0]
    return name.removesuffix("-v1").removesuffix("-v2")


# Words in a model's name that tell its family.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("grok", "xai"),
    ("gpt-", "openai"),
    ("codex", "openai"),
)
_BY_PROVIDER: dict[str, Family] = {"anthropic": "anthropic", "openai": "openai", "xai": "xai"}
_OPENAI_O = re.compile(r"(?:.*/)?o[1-9](?:-|$)")


def family_of(provider: str, model: str) -> Family:
    """Whose proofs a model can read, by its name and who serves it."""
    name = model.lower()
    for word, family in _FAMILIES:
        if word in name:
            return family
    if _OPENAI_O.match(name):
        return "openai"
    return _BY_PROVIDER.get(provider, "")
