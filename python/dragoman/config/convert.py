"""A tree into structs, every fault reported.

``msgspec.convert`` stops at the first fault and knows no lines, so the walk over structs, tables and lists is done here
and msgspec converts (and checks the bounds of) each single value. Whatever is wrong, a whole struct comes out, with a
hole where a value was not readable: the checks that follow see everything else.

A value that came through ``${...}`` is text, whatever the field wants; only such a value is converted leniently, so
``port: ${PORT}`` is a number and ``port: "8080"`` is still refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from dragoman.config.environ import SubstitutionError
from dragoman.config.tree import Node, Path, Problems

S = TypeVar("S", bound=msgspec.Struct)


def convert(root: Node, into: type[S], substitute: Callable[[str], str], problems: Problems) -> S:
    """The tree as ``into``; faults go to ``problems``."""
    return _Walk(substitute, problems).struct(root, into, ())


class _Walk:
    def __init__(self, substitute: Callable[[str], str], problems: Problems) -> None:
        self._substitute = substitute
        self._problems = problems

    def struct(self, node: Node, into: type[S], path: Path) -> S:
        hints, fields = _shape(into)
        table = self._table_of(node, path)
        values: dict[str, Any] = {}
        for field in fields:
            if table is not None and field.encode_name in table:
                value = self.value(table[field.encode_name], hints[field.name], (*path, field.encode_name))
                if value is not _NOTHING:
                    values[field.name] = value
            if field.required and field.name not in values:
                values[field.name] = _blank(hints[field.name])
                if table is not None and field.encode_name not in table:
                    self._problems.add_hole((*path, field.encode_name), "is missing")
        names = [field.encode_name for field in fields]
        for name in table or {}:
            if name not in names:
                hint = self._problems.hint(name, names) or f"; known here: {', '.join(names)}"
                self._problems.add((*path, name), f"unknown field{hint}")
        return into(**values)

    def _table_of(self, node: Node, path: Path) -> dict[str, Node] | None:
        if isinstance(node.value, dict):
            return node.value
        if node.value is not None:
            self._problems.add_hole(path, f"expected a mapping, not {_kind(node)}")
        return {} if node.value is None else None

    def value(self, node: Node, hint: Any, path: Path) -> Any:
        """The value of one field, or ``_NOTHING`` where its default is to stand."""
        bare = _bare(hint)
        if bare is Any:
            return self._anything(node, path)
        if get_origin(bare) in (Union, UnionType):
            if node.value is None:
                return None
            bare = next(choice for choice in get_args(bare) if choice is not NoneType)
            return self.value(node, bare, path)
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return self.struct(node, bare, path)
        if get_origin(bare) is dict:
            table = self._table_of(node, path) or {}
            inner = get_args(bare)[1]
            found = {name: self.value(child, inner, (*path, name)) for name, child in table.items()}
            return {name: child for name, child in found.items() if child is not _NOTHING}
        if get_origin(bare) is tuple:
            return self._list(node, get_args(bare)[0], path)
        return self._leaf(node, hint, path)

    def _list(self, node: Node, inner: Any, path: Path) -> Any:
        if node.value is None:
            return _NOTHING
        if not isinstance(node.value, list):
            self._problems.add_hole(path, f"expected a list, not {_kind(node)}")
            return _NOTHING
        found = (self.value(child, inner, (*path, index)) for index, child in enumerate(node.value))
        return tuple(child for child in found if child is not _NOTHING)

    def _anything(self, node: Node, path: Path) -> Any:
        """A value whose type another layer knows, as plain Python."""
        if isinstance(node.value, dict):
            return {name: self._anything(child, (*path, name)) for name, child in node.value.items()}
        if isinstance(node.value, list):
            return [self._anything(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._leaf(node, str, path) if isinstance(node.value, str) else node.value

    def _leaf(self, node: Node, hint: Any, path: Path) -> Any:
        value = node.value
        if value is None:
            self._problems.add_hole(path, "is empty")
            return _NOTHING
        substituted = False
        if isinstance(value, str):
            try:
                value = self._substitute(value)
            except SubstitutionError as fault:
                self._problems.add_hole(path, str(fault))
                return _NOTHING
            substituted = value != node.value
        try:
            converted = msgspec.convert(value, hint, strict=not substituted)
        except msgspec.ValidationError as fault:
            self._problems.add_hole(path, self._reason(node, hint, path, str(fault)))
            return _NOTHING
        if isinstance(converted, float) and not math.isfinite(converted):
            self._problems.add_hole(path, "must be a finite number")
            return _NOTHING
        return converted

    def _reason(self, node: Node, hint: Any, path: Path, reason: str) -> str:
        """msgspec's reason in our words; it would quote a wrong choice, which may be a substituted secret."""
        if get_origin(_bare(hint)) is Literal and isinstance(node.value, str):
            choices = get_args(_bare(hint))
            shown = self._problems.spell(path, node.value)
            return f"{shown} is not one of {', '.join(choices)}{self._problems.hint(node.value, choices)}"
        reason = reason.replace("`", "").replace("Expected", "expected").replace(" - at $", "")
        if isinstance(node.value, str) and "${" in node.value:
            return f"what {node.value} stands for does not fit: {reason}"
        if isinstance(node.value, (dict, list)):
            return f"expected {_wanted(hint)}, not {_kind(node)}"
        if _bare(hint) is str:
            return f"{reason}: put it in quotes"
        if _bare(hint) is bool:
            return f"{reason}: write true or false"
        return reason


@cache
def _shape(into: type[msgspec.Struct]) -> tuple[dict[str, Any], tuple[msgspec.structs.FieldInfo, ...]]:
    return get_type_hints(into, include_extras=True), msgspec.structs.fields(into)


_NOTHING = object()
_KINDS = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


def _bare(hint: Any) -> Any:
    return _bare(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def _kind(node: Node) -> str:
    return _KINDS.get(type(node.value), "nothing")


def _wanted(hint: Any) -> str:
    return _KINDS.get(_bare(hint), "one value")


def _blank(hint: Any) -> Any:
    """What stands in a required field that is missing or unreadable: an empty value of its type."""
    bare = _bare(hint)
    return (get_origin(bare) or bare)()
