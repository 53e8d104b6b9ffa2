"""Lists in parts, and bodies that are converted, as every operation has them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal, TypeVar

import msgspec

from dragoman.endpoints.admin.operation import MOST_LISTED, Answer
from dragoman.errors import InvalidRequest

Cursor = list[str]
_Made = TypeVar("_Made")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


def list_type(item: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A part of a list of such things."""
    fields: list[Any] = [("object", Literal["list"]), ("data", list[item]), ("next", str | None)]  # type: ignore[valid-type]
    return msgspec.defstruct(f"{item.__name__}List", fields, kw_only=True, frozen=True)


def listed(query: Any, found: Callable[[Cursor], Iterator[tuple[Cursor, Any]]]) -> Answer:
    """As many as are wanted of what comes after a cursor, and the cursor of the last where more may come.

    Raises:
        InvalidRequest: the query has a limit out of range, or a cursor that is none.
    """
    if not 1 <= query.limit <= MOST_LISTED:
        raise InvalidRequest(f"limit: from 1 to {MOST_LISTED}.", param="limit")
    known = read_cursor(query.after) if query.after else []
    page = list(islice(found(known), query.limit + 1))
    shown = page[: query.limit]
    more = len(page) > query.limit
    return Answer(
        {
            "object": "list",
            "data": [one for _, one in shown],
            "next": written(shown[-1][0]) if more else None,
        }
    )


def written(cursor: Cursor) -> str:
    """A cursor as clients bring it back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """A cursor that a client has brought back.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=list[str])
    except (ValueError, binascii.Error):
        cursor = []
    if len(cursor) != 2:
        raise InvalidRequest("after: is not what an answer has named as next.", param="after")
    return cursor


def converted(fields: Any, made: type[_Made], *, strict: bool = True) -> _Made:
    """What came, as a type.

    Raises:
        InvalidRequest: it is not of it; names the field.
    """
    try:
        return msgspec.convert(fields, made, strict=strict)
    except msgspec.ValidationError as error:
        text = str(error)
        at = _PATH.search(text)
        field = at[1] if at else ""
        unknown = re.search(r"field `([^`]+)`", text)
        words = _PATH.sub("", text)
        raise InvalidRequest(
            f"{field}: {words}." if field else f"{words}.", param=field or (unknown[1] if unknown else None)
        ) from None
