"""Parts of a content: each is one block, and each block one part.

A signature belongs to the part that it stands at. It is never moved, and a part that has one is never joined with
another, since Google refuses signatures that are elsewhere than they were. What another family has proved is sealed
into the same field (:mod:`dragoman.dialects.continuity`), which Google's clients bring back unread.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Block,
    Family,
    Json,
    Opaque,
    Proof,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.continuity import TAG, unseal
from dragoman.dialects.fields import Fields, object_of
from dragoman.dialects.gemini.media import plain_base64, read_file, read_inline, write_data
from dragoman.dialects.gemini.names import NAME, fields_of, inner, listed
from dragoman.dialects.gemini.names import normal as camel

FAMILY: Family = "google"
_encode = msgspec.json.encode
# Fields of a function's response that hold no more than its text.
TEXT_KEYS = frozenset({"result", "output", "return_value", "error"})


def read_proof(value: str, model: str = "") -> Proof | None:
    """What a ``thoughtSignature`` holds: Google's own, or another family's that was sealed into it."""
    if not value:
        return None
    own = Proof(kind="thought", value=value, family=FAMILY, model=model)
    return unseal(plain_base64(value), own) if value.startswith(TAG) else own


def read_part(value: Any, at: str, model: str = "") -> Block:
    """One part."""
    part = fields_of(value, at)
    raw = part.left
    if raw.get("thought") is True and raw.get("text") is None and ("inlineData" in raw or "functionCall" in raw):
        return Opaque(dialect=NAME, type="thought", raw=raw)  # a sketch on the way to a picture
    if "functionCall" in raw:
        return _read_call(part, model)
    if "functionResponse" in raw:
        return _read_response(part)
    if raw.get("inlineData") is not None:
        blob = part.required("inlineData", inner(part, "inlineData"))
        return read_inline(blob, part.left)
    if raw.get("fileData") is not None:
        file = part.required("fileData", inner(part, "fileData"))
        return read_file(file, part.left)
    signature = raw.get("thoughtSignature")
    alone = type(signature) is str and raw.keys() <= {"thoughtSignature", "thought", "text"}
    if raw.get("text") is None and not alone:
        return Opaque(dialect=NAME, type=next((name for name in raw if name != "thoughtSignature"), ""), raw=raw)
    text = part.maybe_text("text")
    proof = read_proof(part.text("thoughtSignature"), model)
    thought = part.flag("thought")
    extra = part.left
    if text is None:
        extra["text"] = None  # no field at all
    if thought:
        return Reasoning(text=text or "", proof=proof, summary=True, extra=extra)
    return Text(text=text or "", proof=proof, extra=extra)


def _read_call(part: Fields, model: str) -> ToolCall:
    call = part.required("functionCall", inner(part, "functionCall"))
    arguments = call.mapping("args")
    call_id, name = call.text("id"), call.text("name")
    proof = read_proof(part.text("thoughtSignature"), model)
    extra = part.left
    if call.left:
        extra["functionCall"] = call.left
    text = "" if arguments is None else _encode(arguments).decode()
    return ToolCall(id=call_id, name=name, arguments=text, proof=proof, extra=extra)


def _read_response(part: Fields) -> ToolResult:
    response = part.required("functionResponse", inner(part, "functionResponse"))
    told = response.mapping("response")
    content: list[Block] = []
    key = ""
    if told is None:
        content.append(Text(text=""))
    else:
        first = next(iter(told), "")
        whole = not (len(told) == 1 and first in TEXT_KEYS and type(told[first]) is str)
        key = "" if whole else first
        content.append(Text(text=_encode(told).decode() if whole else told[first]))
    for index, item in enumerate(listed(response, "parts")):
        content.append(read_part(item, f"{response.at}.parts[{index}]"))
    failed = told is not None and len(told) == 1 and "error" in told
    call_id, name = response.text("id"), response.text("name")
    extra = part.left
    extra |= {"_response": None} if told is None else {"_key": key}
    if response.left:
        extra["functionResponse"] = response.left
    return ToolResult(call_id=call_id, name=name, content=tuple(content), is_error=failed, extra=extra)


def response_of(result: ToolResult) -> Json:
    """A result as a response: the object that its text is, or its text in a field of one."""
    text = "\n".join(block.text for block in result.content if isinstance(block, Text))
    key = result.extra.get("_key") or ("error" if result.is_error else "result")
    whole = object_of(text) if text and not result.is_error and not result.extra.get("_key") else None
    return {key: text} if whole is None else whole


def arguments_of(call: ToolCall) -> Json:
    """A call's arguments as an object; what is none stands in a field of one."""
    value = object_of(call.arguments)
    return {"_raw": call.arguments} if value is None else value


def read_content(value: Any, at: str, model: str = "") -> tuple[Block, ...]:
    """The parts of an answer's content, of which there may be none."""
    if value is None:
        return ()
    content = fields_of(value, at)
    parts = listed(content, "parts")
    return tuple(read_part(part, f"{at}.parts[{index}]", model) for index, part in enumerate(parts))


def rejoined(blocks: list[Block]) -> list[Block]:
    """The blocks of a turn, with reasoning of another family whole again.

    It was streamed in pieces, each a part for the client, and its proof came last; that family reads it as one.
    """
    out: list[Block] = []
    for block in blocks:
        proof = block.proof if isinstance(block, Reasoning) else None
        if isinstance(block, Reasoning) and proof and proof.family != FAMILY and proof.kind != "redacted":
            pieces = [block.text]
            while out and isinstance(before := out[-1], Reasoning) and before.proof is None:
                pieces.append(before.text)
                out.pop()
            block = Reasoning(text="".join(reversed(pieces)), proof=proof, summary=True)
        out.append(block)
    return out


__all__ = [
    "NAME",
    "arguments_of",
    "camel",
    "read_content",
    "read_part",
    "rejoined",
    "response_of",
    "write_data",
]
