"""Parts of a message's content, read and written: text, pictures, sound, files.

Content that is a string and content that is one text part mean the same. A part that no other dialect has is carried as
it is.
"""

from __future__ import annotations

import re
from typing import Any

from dragoman.dialects.canonical import Audio, Block, Document, Image, Json, Opaque, Refusal, Source, Text, Video
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.losses import Losses

NAME = "openai_chat"
_DATA_URL = re.compile(r"data:([a-zA-Z0-9.+-]+/[a-zA-Z0-9.+-]+);base64,", re.ASCII)
# Formats of sound that the dialect takes in.
AUDIO_IN = frozenset({"wav", "mp3"})


def source_of_url(url: str) -> Source:
    """A URL, with the data of a data URL taken out of it."""
    found = _DATA_URL.match(url)
    if found is None:
        return Source(url=url)
    return Source(media_type=found[1], data=url[found.end() :])


def url_of_source(source: Source, otherwise: str = "application/octet-stream") -> str | None:
    """The URL, or the data as one; ``None`` where there is neither."""
    if source.url is not None:
        return source.url
    if source.data is None:
        return None
    return f"data:{source.media_type or otherwise};base64,{source.data}"


def read_content(content: Any, at: str) -> tuple[Block, ...]:
    """Content of any message."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(text=content),)
    if type(content) is not list:
        raise Unreadable(f"The field {at} is neither a string nor a list.", at)
    return tuple(
        Text(text=part) if type(part) is str else _read_part(Fields(part, f"{at}[{index}]"))
        for index, part in enumerate(content)
    )


def cache_mark(fields: Fields) -> str | None:
    """A mark for the prompt cache, in OpenAI's words or in Anthropic's; it also remains among the extra fields."""
    for name in ("cache_control", "prompt_cache_breakpoint"):
        mark = fields.left.get(name)
        if type(mark) is dict:
            return "1h" if mark.get("ttl") in ("1h", "12h") else "5m" if mark.get("ttl") == "5m" else ""
    return None


def _read_part(part: Fields) -> Block:
    raw = part.left.copy()
    kind = part.text("type")
    cache = cache_mark(part)
    if kind == "text":
        return Text(text=part.text("text"), cache=cache, extra=part.left)
    if kind == "refusal":
        return Refusal(text=part.text("refusal"), extra=part.left)
    if kind == "image_url" and type(raw.get("image_url")) is dict:
        image = part.required("image_url", part.fields("image_url"))
        url = image.required("url", image.maybe_text("url"))
        extra = _with(part.left, "image_url", image.left)
        return Image(source=source_of_url(url), detail=image.text("detail"), cache=cache, extra=extra)
    if kind == "input_audio":
        audio = part.required("input_audio", part.fields("input_audio"))
        form = audio.text("format")
        source = Source(data=audio.required("data", audio.maybe_text("data")), media_type=f"audio/{form or 'wav'}")
        return Audio(source=source, format=form, extra=_with(part.left, "input_audio", audio.left))
    if kind == "file":
        return _read_file(part, cache)
    if kind == "video_url":
        video = part.required("video_url", part.fields("video_url"))
        source = source_of_url(video.required("url", video.maybe_text("url")))
        return Video(source=source, extra=_with(part.left, "video_url", video.left))
    return Opaque(dialect=NAME, type=kind, raw=raw)


def _read_file(part: Fields, cache: str | None) -> Document:
    file = part.required("file", part.fields("file"))
    data = file.maybe_text("file_data")
    file_id = file.maybe_text("file_id")
    if data is None:
        source = Source(file_id=file_id)
    else:
        source = source_of_url(data) if data.startswith(("data:", "http")) else Source(data=data)
    return Document(source=source, name=file.text("filename"), cache=cache, extra=_with(part.left, "file", file.left))


def _with(extra: Json, name: str, inner: Json) -> Json:
    """The extra fields of a part, with those of the object inside it."""
    return {**extra, name: inner} if inner else extra


def write_part(block: Block, at: str, losses: Losses, *, own: bool) -> list[Json]:
    """A block as parts of a user's message; none where it cannot be said.

    ``own``: it was read from this dialect.
    """
    extra: Json = getattr(block, "extra", {}) if own else {}
    if type(block) is Text:
        return [{"type": "text", "text": block.text, **extra}]
    if type(block) is Image:
        return _write_image(block, at, losses, extra)
    if type(block) is Audio:
        return _write_audio(block, at, losses, extra)
    if type(block) is Document:
        return _write_document(block, at, losses, own=own)
    if type(block) is Refusal:
        return [{"type": "refusal", "refusal": block.text, **extra}] if own else [{"type": "text", "text": block.text}]
    if type(block) is Video and (url := url_of_source(block.source, "video/mp4")):
        return [{**extra, "type": "video_url", "video_url": {"url": url, **extra.get("video_url", {})}}]
    if type(block) is Opaque and own:
        return [block.raw]
    losses.drop(at, f"a block of type {type(block).__name__}")
    return []


def _write_image(block: Image, at: str, losses: Losses, extra: Json) -> list[Json]:
    url = url_of_source(block.source, "image/png")
    if url is None:
        losses.drop(at, "an image that is kept at another provider")
        return []
    image: Json = {"url": url, **extra.get("image_url", {})}
    if block.detail:
        image["detail"] = block.detail
    return [{**extra, "type": "image_url", "image_url": image}]


def _write_audio(block: Audio, at: str, losses: Losses, extra: Json) -> list[Json]:
    form = block.format or block.source.media_type.partition("/")[2].replace("mpeg", "mp3").removeprefix("x-")
    if block.source.data is None or form not in AUDIO_IN:
        losses.drop(at, f"sound as {form or 'a link'}")
        return []
    audio = {"data": block.source.data, "format": form, **extra.get("input_audio", {})}
    return [{**extra, "type": "input_audio", "input_audio": audio}]


def _write_document(block: Document, at: str, losses: Losses, *, own: bool) -> list[Json]:
    source = block.source
    extra = block.extra if own else {}
    if source.text is not None:
        heading = f"{block.name}:\n" if block.name else ""
        return [{"type": "text", "text": heading + source.text}]
    if source.url is not None and own:
        return [{**extra, "type": "file", "file": {"file_data": source.url, "filename": block.name}}]
    if source.url is not None:
        losses.approximate(at, "a document by URL, named in text")
        return [{"type": "text", "text": f"{block.name or 'Document'}: {source.url}"}]
    file: Json = {}
    if source.data is not None:
        file["file_data"] = url_of_source(source) if source.media_type else source.data
    if source.file_id is not None:
        file["file_id"] = source.file_id
    if block.name:
        file["filename"] = block.name
    elif source.data is not None and not own:
        file["filename"] = "document." + (source.media_type.partition("/")[2] or "pdf")
    return [{**extra, "type": "file", "file": {**file, **extra.get("file", {})}}]
