"""The model that a form (``multipart/form-data``) names, and the form with another name in its place.

What a key may use is decided by this reading of a form, and what it gets by the provider's. So nothing is searched for:
the form is read part by part, and one that another reader might read otherwise is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dragoman.errors import InvalidRequest

MAX_PARTS = 1000
MAX_PART_HEADER_BYTES = 8 * 1024
MAX_MODEL_BYTES = 256
MAX_BOUNDARY_BYTES = 70

_VALUE = rb'(?:"(?:[^"\\\r\n]|\\.)*"|[^\s";,]+)'
_PARAMETERS = rb"((?:\s*;\s*[\w*-]+=" + _VALUE + rb")*)\s*"
_TYPE = re.compile(rb"multipart/form-data" + _PARAMETERS, re.IGNORECASE)
_DISPOSITION = re.compile(rb"\s*form-data" + _PARAMETERS, re.IGNORECASE)
_PARAMETER = re.compile(rb"([\w*-]+)=(" + _VALUE + rb")")


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type.lower().startswith("multipart/form-data")


class Form:
    """A form as it was received.

    Raises:
        InvalidRequest: it is not well formed, could be read in two ways, or names more than one model.
    """

    __slots__ = ("_end", "_start", "model", "raw")

    def __init__(self, raw: bytes, content_type: str) -> None:
        self.raw = raw
        self._start = self._end = 0
        self.model = ""  # empty: none is named
        for headers, start, end in _parts(raw, _boundary(content_type)):
            if _name(headers) == b"model":
                self._take(headers, start, end)

    def with_model(self, model: str) -> bytes:
        """The form with this model in place of the one it names, and every other byte as it was."""
        if not self.model:
            return self.raw
        return self.raw[: self._start] + model.encode() + self.raw[self._end :]

    def _take(self, headers: dict[bytes, bytes], start: int, end: int) -> None:
        if self.model:
            raise InvalidRequest("The form names the model twice.", code="duplicate_key", param="model")
        if end - start > MAX_MODEL_BYTES or b"content-transfer-encoding" in headers:
            raise InvalidRequest("The field model of the form is no name.", code="invalid_value", param="model")
        try:
            self.model = self.raw[start:end].decode()
        except UnicodeDecodeError:
            message = "The field model of the form is not in UTF-8."
            raise InvalidRequest(message, code="invalid_encoding", param="model") from None
        self._start, self._end = start, end


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(_TYPE, content_type.encode(), "its content type").get(b"boundary", b"")
    if not 1 <= len(boundary) <= MAX_BOUNDARY_BYTES:
        raise _bad("its content type names no boundary")
    return b"--" + boundary


def _parts(raw: bytes, delimiter: bytes) -> Iterator[tuple[dict[bytes, bytes], int, int]]:
    """The headers of each part, and where its content begins and ends."""
    if not raw.startswith(delimiter):
        raise _bad("it does not begin with its boundary")
    at = len(delimiter)
    for _ in range(MAX_PARTS):
        if raw.startswith(b"--", at):
            return
        if not raw.startswith(b"\r\n", at):
            raise _bad("a boundary is followed by something else than a line end")
        at += 2
        blank = raw.find(b"\r\n\r\n", at, at + MAX_PART_HEADER_BYTES)
        end = raw.find(b"\r\n" + delimiter, blank + 2)
        if blank < 0 or end < 0:
            raise _bad("a part has no end")
        start = blank + 4
        if end < start:
            raise _bad("a part has no content")
        yield _headers(raw[at:blank]), start, end
        at = end + 2 + len(delimiter)
    raise _bad(f"it has over {MAX_PARTS} parts")


def _headers(block: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.lower()
        if not colon or not re.fullmatch(rb"[\w-]+", name) or key in headers or b"\n" in value or b"\r" in value:
            raise _bad("a part has a header that is none, or one twice")
        headers[key] = value
    return headers


def _name(headers: dict[bytes, bytes]) -> bytes:
    """What a part is called."""
    disposition = headers.get(b"content-disposition", b"")
    found = _parameters(_DISPOSITION, disposition, "the Content-Disposition of a part")
    name = found.get(b"name", b"")
    if not name or b"name*" in found:
        raise _bad("a part has no name")
    if name == b"model" and len(found) > 1:
        raise _bad("its model is a file")
    return name


def _parameters(pattern: re.Pattern[bytes], header: bytes, whose: str) -> dict[bytes, bytes]:
    """The parameters of a header, without the quotes."""
    written = pattern.fullmatch(header)
    found = _PARAMETER.findall(written[1]) if written is not None else []
    values = {name.lower(): value.strip(b'"') for name, value in found}
    if not found or len(values) != len(found) or any(b"\\" in value for value in values.values()):
        raise _bad(f"{whose} is not as it should be")
    return values


def _bad(why: str) -> InvalidRequest:
    return InvalidRequest(f"The form cannot be read: {why}.", code="invalid_form")
