"""Schemas, both ways: Google's older fields take a subset of OpenAPI's with its types in capitals.

Newer models take JSON Schema as it is, in fields of their own. For the others a schema is rewritten into what they
know, and what cannot be is left out and named: a keyword that they do not know is an error to them.

The walk goes by the place of a keyword, never by its name alone: a *property* may be called ``const`` or ``$ref``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Json
from dragoman.dialects.lenient import list_of
from dragoman.dialects.losses import Losses

# Deeper than any real schema; a definition that refers to itself ends here.
MAX_DEPTH = 32
MAX_REFERENCES = 4  # of one definition inside itself
# Keywords that stay as they are.
KEPT = frozenset(
    [
        *(
            "title",
            "description",
            "nullable",
            "format",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minimum",
            "maximum",
        ),
        *("minLength", "maxLength", "pattern", "default", "example", "propertyOrdering"),
    ]
)
# Keywords that say nothing about what is valid, or that their place has been taken of: left out without a word.
SILENT = frozenset(
    [
        *(
            "type",
            "enum",
            "const",
            "properties",
            "required",
            "items",
            "anyOf",
            "oneOf",
            "allOf",
            "$ref",
            "$defs",
            "definitions",
            "$schema",
            "$id",
        ),
        *(
            "$comment",
            "$anchor",
            "additionalProperties",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "strict",
            "ref",
            "defs",
        ),
    ]
)
FORMATS = {"STRING": frozenset({"enum", "date-time"}), "NUMBER": frozenset({"float", "double"})}
FORMATS["INTEGER"] = frozenset({"int32", "int64"})
_OF_ONE_TYPE = ("minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "format")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


def from_openapi(schema: Any, depth: int = 0) -> Any:
    """OpenAPI's subset as JSON Schema: types in lower case, ``nullable`` among the types."""
    if type(schema) is not dict or depth > MAX_DEPTH:
        return schema
    out = schema.copy()
    kind = schema.get("type")
    if type(kind) is str:
        _lower(out, kind.lower(), schema)
    for name in _COUNTS:
        value = schema.get(name)
        if type(value) is str and value.isascii() and value.isdigit() and len(value) < 19:  # int64 is told as text
            out[name] = int(value)
    for name in ("items", "additionalProperties"):
        if type(schema.get(name)) is dict:
            out[name] = from_openapi(schema[name], depth + 1)
    for name in ("any_of", "anyOf"):
        if type(schema.get(name)) is list:
            del out[name]
            out["anyOf"] = [from_openapi(item, depth + 1) for item in schema[name]]
    if type(schema.get("properties")) is dict:
        out["properties"] = {name: from_openapi(item, depth + 1) for name, item in schema["properties"].items()}
    for name in ("propertyOrdering", "property_ordering"):
        out.pop(name, None)
    return out


def _lower(out: Json, kind: str, schema: Json) -> None:
    out["type"] = kind
    if kind == "type_unspecified":
        del out["type"]
    elif schema.get("nullable") is True:
        out["type"] = [kind, "null"]
        del out["nullable"]
        if type(schema.get("enum")) is list:
            out["enum"] = [*schema["enum"], None]


def fitted_schema(schema: Json) -> Json:
    """JSON Schema as OpenAPI's subset, whatever is lost."""
    return to_openapi(schema, Losses(), "schema") or {"type": "OBJECT"}


def to_openapi(schema: Any, losses: Losses, at: str) -> Json | None:
    """JSON Schema as OpenAPI's subset; ``None`` where nothing is left to say, as of an object without properties."""
    if type(schema) is not dict:
        return None
    out = _Rewriting(schema, losses, at).one(schema, 0)
    return None if out == {"type": "OBJECT"} else out


class _Rewriting:
    """One schema's."""

    def __init__(self, root: Json, losses: Losses, at: str) -> None:
        self.root = root
        self.losses = losses
        self.at = at
        self.open: list[str] = []  # references that are being followed

    def one(self, schema: Any, depth: int) -> Json:
        """A schema at any place."""
        if type(schema) is not dict:
            return {}
        if depth > MAX_DEPTH:
            self._lost("a schema this deep")
            return {}
        reference = schema.get("$ref")
        if type(reference) is str:
            return self._followed(reference, schema, depth)
        if type(schema.get("allOf")) is list:
            schema = self._merged(schema, depth)
        out = {name: value for name, value in schema.items() if name in KEPT}
        for name in schema.keys() - KEPT - SILENT:
            self._keyword(name, schema, out)
        if schema.get("additionalProperties") not in (None, False, True, {}):
            self._lost("additionalProperties")
        self._typed(schema, out)
        self._chosen(schema, out)
        self._inside(schema, out, depth)
        self._alternatives(schema, out, depth)
        return out

    def _lost(self, what: str) -> None:
        self.losses.approximate(self.at, f"the model takes no {what}")

    def _keyword(self, name: str, schema: Json, out: Json) -> None:
        value = schema[name]
        if name in ("exclusiveMinimum", "exclusiveMaximum") and type(value) in (int, float):
            plain = "minimum" if name == "exclusiveMinimum" else "maximum"
            step = 1 if plain == "minimum" else -1
            whole = schema.get("type") == "integer" and type(value) is int
            out.setdefault(plain, value + step if whole else value)
            if not whole:
                self._lost(name)
        elif not name.startswith("x-"):
            self._lost(name)

    def _followed(self, reference: str, schema: Json, depth: int) -> Json:
        """What a reference names, in its place; a description beside it goes before."""
        found: Any = self.root
        if reference != "#":
            for part in reference.removeprefix("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~")
                found = found.get(part) if type(found) is dict else None
        if type(found) is not dict or not reference.startswith("#"):
            self._lost(f"reference {reference}")
            return {"type": "OBJECT"}
        if self.open.count(reference) >= MAX_REFERENCES or len(self.open) > MAX_DEPTH:
            self._lost("definition inside itself")
            return {"type": "OBJECT"}
        self.open.append(reference)
        out = self.one({**found, **{name: item for name, item in schema.items() if name != "$ref"}}, depth + 1)
        self.open.pop()
        return out

    def _merged(self, schema: Json, depth: int) -> Json:
        """A schema with what all of its parts ask for."""
        out: Json = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema["allOf"]:
            part = self._resolved(part)
            if type(part) is not dict:
                continue
            if type(part.get("allOf")) is list and depth < MAX_DEPTH:
                part = self._merged(part, depth + 1)
            for name, value in part.items():
                if name == "properties" and type(value) is dict:
                    known = out.get(name)
                    out[name] = {**value, **(known if type(known) is dict else {})}
                elif name == "required" and type(value) is list:
                    known = list_of(out, name)
                    out[name] = [*known, *(item for item in value if item not in known)]
                elif name in out and out[name] != value and name not in ("description", "title"):
                    self._lost("two of the same keyword in allOf")
                else:
                    out.setdefault(name, value)
        return out

    def _resolved(self, part: Any) -> Any:
        for _ in range(MAX_REFERENCES):
            reference = part.get("$ref") if type(part) is dict else None
            if type(reference) is not str or not reference.startswith("#/"):
                break
            found: Any = self.root
            for name in reference[2:].split("/"):
                found = found.get(name) if type(found) is dict else None
            part = found
        return part

    def _typed(self, schema: Json, out: Json) -> None:
        """The type; a list of types is one that may be null, or one of several schemas."""
        kind = schema.get("type")
        if type(kind) is list:
            kinds = [one for one in kind if type(one) is str and one.lower() in TYPES]
            plain = [one for one in kinds if one.lower() != "null"]
            if len(plain) < len(kinds) and plain:
                out["nullable"] = True
            if len(plain) > 1:
                out["anyOf"] = [self._branch(one, schema) for one in plain]
                for name in _OF_ONE_TYPE:
                    out.pop(name, None)
                return
            kind = plain[0] if plain else "null" if kinds else None
        if type(kind) is str and kind.lower() in TYPES:
            out["type"] = kind.upper()
        elif "properties" in schema:
            out["type"] = "OBJECT"
        elif "items" in schema:
            out["type"] = "ARRAY"
        if "format" in out and out["format"] not in FORMATS.get(out.get("type", ""), ()):
            del out["format"]  # a hint to people, and an error to the model

    def _branch(self, kind: str, schema: Json) -> Json:
        branch: Json = {"type": kind.upper()}
        if kind == "array":
            branch["items"] = self.one(schema.get("items", {}), MAX_DEPTH // 2) or {"type": "STRING"}
        return branch

    def _chosen(self, schema: Json, out: Json) -> None:
        """Enumerated values, which are strings here."""
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if type(values) is not list:
            return
        if None in values:
            out["nullable"] = True
        texts = [value if type(value) is str else _said(value) for value in values if value is not None]
        if not texts:
            return
        if any(type(value) is not str for value in values if value is not None):
            self._lost("enumeration of what is no text")
        out["enum"] = texts
        out["type"] = "STRING"

    def _inside(self, schema: Json, out: Json, depth: int) -> None:
        """What an object or a list holds."""
        properties = schema.get("properties")
        if type(properties) is dict and properties:
            out["properties"] = {name: self.one(item, depth + 1) for name, item in properties.items()}
            for item in out["properties"].values():
                if not item:
                    item["type"] = "STRING"
                    self._lost("schema that allows everything")
            required = schema.get("required")
            if type(required) is list:
                known = [name for name in required if type(name) is str and name in properties]
                if known:
                    out["required"] = known
        if out.get("type") == "ARRAY":
            items = schema.get("items")
            out["items"] = self.one(items, depth + 1) or {"type": "STRING"}
            if type(items) is not dict:
                self._lost("list of anything")

    def _alternatives(self, schema: Json, out: Json, depth: int) -> None:
        """``anyOf`` and ``oneOf``; one of null and something else is that something, which may be null."""
        choices = [item for name in ("anyOf", "oneOf") if type(schema.get(name)) is list for item in schema[name]]
        if not choices:
            return
        plain = [item for item in choices if not (type(item) is dict and item.get("type") == "null")]
        if len(plain) < len(choices):
            out["nullable"] = True
        written = [one for item in plain if (one := self.one(item, depth + 1))]
        if len(written) == 1:
            for name, value in written[0].items():
                out.setdefault(name, value)
        elif written:
            if "properties" in out:
                self._lost("alternatives beside properties")
                return
            out.pop("type", None)
            out["anyOf"] = written


def _said(value: Any) -> str:
    return msgspec.json.encode(value).decode()
