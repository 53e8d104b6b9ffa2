"""Takes hostile JSON apart, field by field.

:class:`Fields` hands out the fields of one object by name and type; what nobody asked for remains and is the ``extra``
that its own dialect gets back. So a field that a vendor adds tomorrow survives, and a list of what is read is the code
that reads it. ``null`` counts as absent, as it does to every vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from dragoman.dialects.canonical import Json
from dragoman.dialects.lenient import count

T = TypeVar("T")
_decode = msgspec.json.decode


class Unreadable(Exception):
    """Something is not what its dialect says: ``at`` names the field, as in ``messages[2].content``."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class Fields:
    """One object, taken apart."""

    __slots__ = ("at", "left")

    def __init__(self, value: Any, at: str = "") -> None:
        if type(value) is not dict:
            raise Unreadable(f"{at or 'The body'} is not an object.", at)
        self.at = at
        self.left: Json = value.copy()

    def path(self, name: str) -> str:
        """The name of a field as a client knows it."""
        return f"{self.at}.{name}" if self.at else name

    def take(self, name: str) -> Any:
        """Whatever stands there; ``None`` where nothing does."""
        return self.left.pop(name, None)

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.left.pop(name, None)
        if value is None:
            return default
        if type(value) is not str:
            raise self.wrong(name, "a string")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A string, or nothing."""
        value = self.left.pop(name, None)
        if value is not None and type(value) is not str:
            raise self.wrong(name, "a string")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, whichever way it is written."""
        value = self.left.pop(name, None)
        if type(value) is float and value.is_integer():
            return int(value)
        if value is not None and type(value) is not int:
            raise self.wrong(name, "a whole number")
        return value

    def number(self, name: str) -> float | None:
        """A number, as it is written."""
        value = self.left.pop(name, None)
        if value is not None and type(value) is not int and type(value) is not float:
            raise self.wrong(name, "a number")
        return value

    def tokens(self, name: str) -> int | None:
        """A number of tokens, as lenient as hosts are; nothing where none is told."""
        value = self.left.pop(name, None)
        return None if value is None else count(value)

    def flag(self, name: str) -> bool | None:
        """True, false or nothing."""
        value = self.left.pop(name, None)
        if value is not None and type(value) is not bool:
            raise self.wrong(name, "true or false")
        return value

    def mapping(self, name: str) -> Json | None:
        """An object as it is."""
        value = self.left.pop(name, None)
        if value is not None and type(value) is not dict:
            raise self.wrong(name, "an object")
        return value

    def fields(self, name: str) -> Fields | None:
        """An object to take apart."""
        value = self.left.pop(name, None)
        return None if value is None else Fields(value, self.path(name))

    def items(self, name: str) -> list[Any]:
        """A list; empty where there is none."""
        value = self.left.pop(name, None)
        if value is None:
            return []
        if type(value) is not list:
            raise self.wrong(name, "a list")
        return value

    def each(self, name: str) -> Iterator[Fields]:
        """The objects of a list, each to take apart."""
        at = self.path(name)
        return (Fields(item, f"{at}[{index}]") for index, item in enumerate(self.items(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; a single string is a list of one."""
        value = self.left.pop(name, None)
        if value is None:
            return ()
        if type(value) is str:
            return (value,)
        if type(value) is not list or not all(type(item) is str for item in value):
            raise self.wrong(name, "a list of strings")
        return tuple(value)

    def required(self, name: str, taken: T | None) -> T:
        """What was taken, where the dialect cannot do without it."""
        if taken is None:
            raise Unreadable(f"The field {self.path(name)} is missing.", self.path(name))
        return taken

    def wrong(self, name: str, what: str) -> Unreadable:
        """The error of a field that is something else."""
        at = self.path(name)
        return Unreadable(f"The field {at} is not {what}.", at)

    def unknown(self, name: str, value: object) -> Unreadable:
        """The error of a value that the dialect does not have."""
        at = self.path(name)
        return Unreadable(f"The field {at} has the unknown value {str(value)[:64]!r}.", at)


def parse(body: bytes | str) -> Any:
    """JSON of any shape.

    Raises:
        Unreadable: it is none, or too deep.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"This is not JSON: {error}.") from None


def parse_fields(body: bytes | str) -> Fields:
    """A JSON object to take apart."""
    return Fields(parse(body))


def object_of(arguments: str) -> Json | None:
    """A tool call's arguments as an object; ``None`` where they are none. Nothing at all is an empty one."""
    if not arguments.strip():
        return {}
    try:
        value = _decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if type(value) is dict else None


def pruned(value: Json) -> Json:
    """An object without the fields that have nothing to say."""
    return {name: item for name, item in value.items() if item is not None}


def one_by_one(items: list[Any], read: Callable[[Fields], T], at: str) -> tuple[T, ...]:
    """Each object of a list, read."""
    return tuple(read(Fields(item, f"{at}[{index}]")) for index, item in enumerate(items))
