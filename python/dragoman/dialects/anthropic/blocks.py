"""Content blocks of Anthropic's dialect, read and written: those of users, of assistants, and of results of tools."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Block,
    Citation,
    Document,
    Family,
    Image,
    Json,
    Opaque,
    Proof,
    Reasoning,
    Source,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.continuity import unseal
from dragoman.dialects.fields import Fields, Unreadable, object_of
from dragoman.dialects.lenient import text_of

NAME = "anthropic"
FAMILY: Family = "anthropic"
PDF = "application/pdf"
# Pictures that the dialect takes as data.
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_encode = msgspec.json.encode


def read_content(content: Any, at: str, model: str = "") -> tuple[Block, ...]:
    """The content of a message, or of a result."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(text=content),)
    if type(content) is not list:
        raise Unreadable(f"The field {at} is neither a string nor a list.", at)
    return tuple(read_block(Fields(block, f"{at}[{index}]"), model) for index, block in enumerate(content))


def cache_mark(fields: Fields) -> str | None:
    """``cache_control``: its ttl, empty where it names none; ``None`` where there is none."""
    mark = fields.fields("cache_control")
    return None if mark is None else mark.text("ttl")


def read_block(block: Fields, model: str = "") -> Block:
    """One block."""
    raw = block.left.copy()
    kind = block.text("type")
    if kind == "text":
        citations = tuple(_read_citation(one) for one in block.each("citations"))
        return Text(text=block.text("text"), citations=citations, cache=cache_mark(block), extra=block.left)
    if kind == "thinking":
        signature = block.text("signature")
        own = Proof(kind="signature", value=signature, family="anthropic", model=model)
        proof = unseal(signature, own) if signature else None
        return Reasoning(text=block.text("thinking"), proof=proof, extra=block.left)
    if kind == "redacted_thinking":
        data = block.text("data")
        own = Proof(kind="redacted", value=data, family="anthropic", model=model)
        return Reasoning(proof=unseal(data, own), extra=block.left)
    if kind == "tool_use":
        arguments = block.mapping("input")
        return ToolCall(
            id=block.text("id"),
            name=block.text("name"),
            arguments=_encode(arguments or {}).decode(),
            cache=cache_mark(block),
            extra=block.left,
        )
    if kind == "tool_result":
        return _read_result(block)
    if kind == "image":
        source = block.required("source", block.fields("source"))
        return Image(source=_read_source(source), cache=cache_mark(block), extra=_and(block.left, source.left))
    if kind == "document":
        return _read_document(block, raw)
    return Opaque(dialect=NAME, type=kind, raw=raw)


def _and(extra: Json, inner: Json) -> Json:
    return {**extra, "source": inner} if inner else extra


def _read_result(block: Fields) -> ToolResult:
    content = block.take("content")
    is_error = block.flag("is_error")
    extra = block.left
    if content is None:
        extra["_content"] = None  # nothing at all, which is not the same as no text
    if is_error is False:
        extra["is_error"] = False
    return ToolResult(
        call_id=block.text("tool_use_id"),
        content=read_content(content, block.path("content")),
        is_error=is_error or False,
        cache=cache_mark(block),
        extra=extra,
    )


def _read_source(source: Fields) -> Source:
    kind = source.text("type")
    if kind == "base64":
        return Source(media_type=source.text("media_type"), data=source.text("data"))
    if kind == "url":
        return Source(url=source.text("url"))
    if kind == "file":
        return Source(file_id=source.text("file_id"))
    if kind == "text":
        return Source(media_type=source.text("media_type"), text=source.text("data"))
    raise source.unknown("type", kind)


def _read_document(block: Fields, raw: Json) -> Block:
    source = block.required("source", block.fields("source"))
    if source.left.get("type") == "content":
        return Opaque(dialect=NAME, type="document", raw=raw)
    cited = block.fields("citations")
    citations = cited is not None and cited.flag("enabled") is True
    if cited is not None and not citations:
        block.left["citations"] = raw["citations"]
    return Document(
        source=_read_source(source),
        name=block.text("title"),
        context=block.text("context"),
        citations=citations,
        cache=cache_mark(block),
        extra=_and(block.left, source.left),
    )


def _read_citation(citation: Fields) -> Citation:
    """A citation; its places in the source remain, being of another text than the block's."""
    return Citation(
        url=citation.text("url"),
        title=text_of(citation.left, "title") or text_of(citation.left, "document_title"),
        cited_text=text_of(citation.left, "cited_text"),
        extra=citation.left,
    )


def write_citation(citation: Citation, *, own: bool) -> Json | None:
    """A citation; ``None`` where it cannot be said."""
    if own:
        return {**({"url": citation.url} if citation.url else {}), **citation.extra}
    if not citation.url:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.cited_text,
        "encrypted_index": "",
    }


def write_source(source: Source) -> Json | None:
    """A source; ``None`` where it is kept at another provider, or is of a kind that is not taken."""
    if source.text is not None:
        return {"type": "text", "media_type": source.media_type or "text/plain", "data": source.text}
    if source.url is not None:
        return {"type": "url", "url": source.url}
    if source.data is not None:
        return {"type": "base64", "media_type": source.media_type, "data": source.data}
    return None if source.file_id is None else {"type": "file", "file_id": source.file_id}


def input_of(call: ToolCall) -> Json:
    """A call's arguments as the object that the dialect has for them."""
    value = object_of(call.arguments)
    return {"_raw": call.arguments} if value is None else value


def marked(written: Json, cache: str | None) -> Json:
    """A block with its mark for the prompt cache."""
    if cache is not None:
        written["cache_control"] = {"type": "ephemeral", **({"ttl": cache} if cache else {})}
    return written
