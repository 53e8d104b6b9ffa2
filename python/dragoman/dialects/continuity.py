"""Carries a proof through a dialect of another family: sealed into the field that this dialect has for its own.

A client that speaks Anthropic's dialect replays ``signature`` unread, one that speaks Responses ``encrypted_content``.
What another family has proved is put there behind a tag, so that the client brings it back and the reader finds it. The
tag is not secret and the content is not trusted: whoever forges one only sends the provider a proof that it refuses.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from dragoman.dialects.canonical import Proof

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
