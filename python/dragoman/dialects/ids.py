"""Names that dialects limit: tool-call ids and tool names.

What fits is kept. What does not is replaced by a digest of itself, so that the call and its result, sent in different
requests and read by different processes, agree without anybody's remembering.
"""

from __future__ import annotations

import re
from hashlib import blake2b

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What Anthropic, Bedrock and OpenAI take in an id.
PLAIN = re.compile(r"[a-zA-Z0-9_-]+")
NINE = re.compile(r"[a-zA-Z0-9]{9}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def fitted_id(call_id: str, limit: int = 64) -> str:
    """An id of letters, digits, ``_`` and ``-``, of at most ``limit`` characters."""
    if len(call_id) <= limit and PLAIN.fullmatch(call_id):
        return call_id
    return "call_" + blake2b(call_id.encode("utf-8", "surrogatepass"), digest_size=15).hexdigest()[: limit - 5]


def nine_characters(call_id: str) -> str:
    """An id as Mistral wants it: nine letters or digits."""
    if NINE.fullmatch(call_id):
        return call_id
    number = int.from_bytes(blake2b(call_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    characters = []
    for _ in range(9):
        number, rest = divmod(number, 62)
        characters.append(_ALPHANUMERIC[rest])
    return "".join(characters)


def fitted_name(name: str, limit: int = 64) -> str:
    """A tool's name of letters, digits, ``_`` and ``-``, of at most ``limit`` characters, still readable."""
    if len(name) <= limit and TOOL_NAME.fullmatch(name):
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    readable = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[: limit - 9]
    return f"{readable}_{digest}"
