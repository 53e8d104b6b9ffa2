"""Content of the Responses API: what stands inside messages and results of tools."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Audio, Block, Citation, Document, Image, Json, Opaque, Refusal, Source, Text
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.lenient import objects_of, text_of
from dragoman.dialects.losses import Losses
from dragoman.dialects.openai_chat.content import AUDIO_IN, cache_mark, source_of_url, url_of_source

NAME = "openai_responses"


def read_content(content: Any, at: str) -> tuple[Block, ...]:
    """Content of a message or of a tool's output."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(text=content),)
    if type(content) is not list:
        raise Unreadable(f"The field {at} is neither a string nor a list.", at)
    return tuple(
        Text(text=part) if type(part) is str else read_part(Fields(part, f"{at}[{index}]"))
        for index, part in enumerate(content)
    )


def read_part(part: Fields) -> Block:
    """One part. Its own type is kept: text is of several."""
    raw = part.left.copy()
    kind = text_of(raw, "type")
    cache = cache_mark(part)
    if kind in ("input_text", "output_text", "text", "summary_text"):
        part.take("annotations")
        citations = tuple(_read_annotation(note) for note in objects_of(raw, "annotations"))
        if "annotations" in raw:
            part.left["annotations"] = raw["annotations"]
        return Text(text=part.text("text"), citations=citations, cache=cache, extra=part.left)
    if kind == "refusal":
        return Refusal(text=part.text("refusal"), extra=part.left)
    if kind == "input_image":
        file_id, url = part.maybe_text("file_id"), part.maybe_text("image_url")
        source = Source(file_id=file_id) if url is None else source_of_url(url)
        return Image(source=source, detail=part.text("detail"), cache=cache, extra=part.left)
    if kind == "input_file":
        return _read_file(part, cache)
    if kind == "input_audio" and type(raw.get("input_audio")) is dict:
        audio = part.required("input_audio", part.fields("input_audio"))
        form = audio.text("format")
        source = Source(data=audio.text("data"), media_type=f"audio/{form or 'wav'}")
        return Audio(source=source, format=form, extra=part.left)
    return Opaque(dialect=NAME, type=kind, raw=raw)


def _read_file(part: Fields, cache: str | None) -> Document:
    data, url, file_id = part.maybe_text("file_data"), part.maybe_text("file_url"), part.maybe_text("file_id")
    if url is not None:
        source = Source(url=url)
    elif data is not None:
        source = source_of_url(data) if data.startswith("data:") else Source(data=data)
    else:
        source = Source(file_id=file_id)
    return Document(source=source, name=part.text("filename"), cache=cache, extra=part.left)


def _read_annotation(note: Json) -> Citation:
    start, end = note.get("start_index"), note.get("end_index")
    if note.get("type") != "url_citation":
        return Citation(extra=note)
    return Citation(
        url=text_of(note, "url"),
        title=text_of(note, "title"),
        start=start if type(start) is int else None,
        end=end if type(end) is int else None,
    )


# Annotations of files, which no other dialect has.
NOTES = ("file_citation", "container_file_citation", "file_path")


def write_annotation(citation: Citation) -> Json:
    """A citation as an annotation; empty where the dialect has none such."""
    if not citation.url:
        return citation.extra if citation.extra.get("type") in NOTES else {}
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start or 0,
        "end_index": citation.end or 0,
    }


def own_part(block: Block) -> Json:
    """A part of this dialect, as it was."""
    if isinstance(block, Opaque):
        return block.raw
    if isinstance(block, Text):
        return {"type": "input_text", "text": block.text, **block.extra}
    if isinstance(block, Refusal):
        return {"refusal": block.text, **block.extra}
    if isinstance(block, Image):
        url = url_of_source(block.source, "image/png")
        shown = {"file_id": block.source.file_id} if url is None else {"image_url": url}
        return {**shown, **({"detail": block.detail} if block.detail else {}), **block.extra}
    if isinstance(block, Document):
        named = {"filename": block.name} if block.name else {}
        return {**_file(block.source), **named, **block.extra}
    if isinstance(block, Audio):
        return {"input_audio": {"data": block.source.data, "format": block.format}, **block.extra}
    return {}


def _file(source: Source) -> Json:
    if source.url is not None:
        return {"file_url": source.url}
    if source.data is not None:
        return {"file_data": url_of_source(source) if source.media_type else source.data}
    return {"file_id": source.file_id}


def write_part(block: Block, at: str, losses: Losses) -> list[Json]:
    """A block of another dialect as parts of a user's message; none where it cannot be said."""
    if isinstance(block, Text | Refusal):
        return [{"type": "input_text", "text": block.text}]
    if isinstance(block, Image):
        url = url_of_source(block.source, "image/png")
        if url is None:
            losses.drop(at, "an image that is kept at another provider")
            return []
        return [{"type": "input_image", "image_url": url, "detail": block.detail or "auto"}]
    if isinstance(block, Document):
        source = block.source
        if source.text is not None:
            heading = f"{block.name}:\n" if block.name else ""
            return [{"type": "input_text", "text": heading + source.text}]
        if source.file_id is not None:
            losses.drop(at, "a file that is kept at another provider")
            return []
        name = block.name or f"document.{source.media_type.partition('/')[2] or 'pdf'}"
        named = {"filename": name} if source.data is not None else {}
        return [{"type": "input_file", **_file(source), **named}]
    if isinstance(block, Audio) and block.source.data is not None:
        form = block.format or block.source.media_type.partition("/")[2]
        if form in AUDIO_IN:
            return [{"type": "input_audio", "input_audio": {"data": block.source.data, "format": form}}]
    what = block.type if isinstance(block, Opaque) else type(block).__name__.lower()
    losses.drop(at, f"a block of type {what}")
    return []
