"""What is no text: inline data and files, by their media types."""

from __future__ import annotations

from dragoman.dialects.canonical import Audio, Document, Image, Json, Source, Video
from dragoman.dialects.fields import Fields

_URL_SAFE = str.maketrans("-_", "+/")
# Files that only their own provider can open.
_KEPT_AT_GOOGLE = ("https://generativelanguage.googleapis.com/", "gs://", "files/")
_VIDEO_SITES = ("https://youtu.be/", "https://www.youtube.com/", "https://youtube.com/")
Media = Image | Audio | Video | Document


def plain_base64(text: str) -> str:
    """Base64 in the alphabet that all others read, with its padding; Google's SDKs write the one for URLs."""
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    return text + "=" * (-len(text) % 4)


def _block_of(source: Source, extra: Json) -> Media:
    kind, _, form = source.media_type.partition("/")
    if kind == "image":
        return Image(source=source, extra=extra)
    if kind == "audio":
        name = form.partition(";")[0].removeprefix("x-").replace("mpeg", "mp3")
        return Audio(source=source, format=name, extra=extra)
    if kind == "video" or (source.url or "").startswith(_VIDEO_SITES):
        return Video(source=source, extra=extra)
    return Document(source=source, extra=extra)


def read_inline(blob: Fields, extra: Json) -> Media:
    """``inlineData``."""
    media_type = blob.text("mimeType")
    data = blob.required("data", blob.maybe_text("data"))
    if blob.left:
        extra["inlineData"] = blob.left
    return _block_of(Source(media_type=media_type, data=plain_base64(data)), extra)


def read_file(file: Fields, extra: Json) -> Media:
    """``fileData``."""
    media_type = file.text("mimeType")
    uri = file.required("fileUri", file.maybe_text("fileUri"))
    kept = uri.startswith(_KEPT_AT_GOOGLE)
    if file.left:
        extra["fileData"] = file.left
    source = Source(media_type=media_type, file_id=uri) if kept else Source(media_type=media_type, url=uri)
    return _block_of(source, extra)


def write_data(source: Source) -> Json | None:
    """A source as the one field of a part; ``None`` where another provider keeps it."""
    typed = {"mimeType": source.media_type} if source.media_type else {}
    if source.text is not None:
        return {"text": source.text}
    if source.data is not None:
        return {"inlineData": {**typed, "data": source.data}}
    uri = source.url
    if source.file_id is not None and source.file_id.startswith(_KEPT_AT_GOOGLE):
        uri = source.file_id
    return None if uri is None else {"fileData": {**typed, "fileUri": uri}}
