"""Inline data and files, by their media types."""

from __future__ import annotations

import pytest

from dragoman.dialects.canonical import Audio, Document, Image, Source, Video
from dragoman.dialects.fields import Fields
from dragoman.dialects.gemini.media import plain_base64, read_file, read_inline, write_data


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("image/png", Image), ("audio/mpeg", Audio), ("video/mp4", Video), ("application/pdf", Document)],
)
def test_kinds(media_type: str, kind: type) -> None:
    assert type(read_inline(Fields({"mimeType": media_type, "data": "QQ=="}), {})) is kind


def test_base64_for_urls_is_made_plain() -> None:
    assert plain_base64("_-8") == "/+8="


def test_googles_files_are_no_links_for_others() -> None:
    kept = read_file(Fields({"fileUri": "gs://b/a.png", "mimeType": "image/png"}), {})
    linked = read_file(Fields({"fileUri": "https://youtu.be/x"}), {})
    assert (kept.source.file_id, kept.source.url) == ("gs://b/a.png", None)
    assert type(linked) is Video and linked.source.url == "https://youtu.be/x"


def test_what_another_provider_keeps_is_not_written() -> None:
    assert write_data(Source(file_id="file-1")) is None
    assert write_data(Source(url="https://a/b")) == {"fileData": {"fileUri": "https://a/b"}}
