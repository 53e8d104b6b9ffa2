"""Makes up a value that a JSON schema allows: the arguments of a tool call, or an answer with a promised shape.

It covers what structured outputs and tools use: types, properties, items, enumerations, references, ``anyOf`` and its
kin, bounds, lengths, formats, patterns. It does not know ``not``, ``if``, ``unevaluatedProperties`` and the
``dependent`` family: they are passed over. Optional properties are filled in near the top and left out further down,
so that a schema that refers to itself comes to an end; one that cannot is the request's fault.

Strings are picked by the property's name where it is a familiar one, so that a demonstration reads as one.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from dragoman.errors import InvalidRequest
from dragoman.rehearsal.pattern import Unsupported, matching

Schema = dict[str, Any]
AnySchema = dict[str, Any] | bool  # true allows everything, false nothing

DEEPEST = 24
LIBERAL_DEPTH = 3  # optional things are made up to here
MOST_NODES = 2_000
MOST_CHARACTERS = 20_000

_WORDS = (
    "amber", "bridge", "caravan", "dragoman", "envoy", "frankincense", "gate", "harbour", "ink", "jasmine",
    "lantern", "market", "narrow", "orchard", "pilgrim", "quay", "river", "saffron", "treaty", "velvet",
)  # fmt: skip
_BY_NAME = {
    "city": ("Istanbul", "Aleppo", "Cairo", "Venice"),
    "location": ("Istanbul", "Aleppo", "Cairo", "Venice"),
    "place": ("Istanbul", "Aleppo", "Cairo", "Venice"),
    "country": ("Egypt", "Italy", "Syria", "Greece"),
    "name": ("Leyla Demir", "Marco Conti", "Yusuf Haddad", "Eleni Pappas"),
    "first_name": ("Leyla", "Marco", "Yusuf", "Eleni"),
    "last_name": ("Demir", "Conti", "Haddad", "Pappas"),
    "email": ("leyla@example.com", "marco@example.com"),
    "url": ("https://example.com/letters/7",),
    "date": ("2026-03-21", "2026-09-04"),
    "time": ("09:30:00", "18:45:00"),
    "unit": ("celsius",),
    "language": ("Turkish", "Arabic", "Italian", "Greek"),
    "query": ("price of saffron", "treaty of the two gates"),
    "question": ("What does the letter say?",),
    "currency": ("EUR", "TRY"),
    "title": ("A letter from the coast", "The second treaty"),
    "summary": ("The envoy asks for two more days.",),
    "description": ("A short letter, in a clear hand.",),
}
_BY_FORMAT = {
    "date-time": ("2026-03-21T09:30:00Z", "2026-09-04T18:45:00Z"),
    "date": ("2026-03-21", "2026-09-04"),
    "time": ("09:30:00Z", "18:45:00Z"),
    "duration": ("PT90M", "P2D"),
    "email": ("leyla@example.com", "marco@example.com"),
    "hostname": ("gate.example.com",),
    "ipv4": ("192.0.2.7",),
    "ipv6": ("2001:db8::7",),
    "uri": ("https://example.com/letters/7",),
    "url": ("https://example.com/letters/7",),
    "uuid": ("3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b",),
}


def instance(schema: AnySchema, random: Random) -> Any:
    """A value that ``schema`` allows. Raises ``InvalidRequest`` when none can be made, or it is no schema."""
    try:
        return _Maker(schema, random).make(schema, "", 0)
    except (TypeError, AttributeError, ValueError, OverflowError, LookupError) as error:  # a word's value is another's
        raise _impossible(f"it is malformed ({error})") from None


class _Maker:
    """What one instance is made with: the root (references point into it), chance, and what may still be spent."""

    def __init__(self, root: AnySchema, random: Random) -> None:
        self.root = root
        self.random = random
        self.nodes = MOST_NODES
        self.characters = MOST_CHARACTERS

    def make(self, schema: AnySchema, name: str, depth: int) -> Any:
        """A value for the property ``name``."""
        self.nodes -= 1
        if self.nodes < 0 or depth > DEEPEST:
            raise _impossible("it asks for more than is made up here, or refers to itself without end")
        if not isinstance(schema, dict):
            if schema is False:
                raise _impossible("nothing is allowed")
            return self._word()
        schema = self._flatten(schema, depth)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self.random.choice(schema["enum"])
        kind = _kind(schema, depth)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return self.random.random() < 0.5
        return None if kind == "null" else self._string(schema, name)

    def _flatten(self, schema: Schema, depth: int) -> Schema:
        """``schema`` with its reference followed, its ``allOf`` merged in, and one of its alternatives taken."""
        for _ in range(DEEPEST):
            if "$ref" in schema:
                schema = _merge(self._follow(str(schema["$ref"])), _without(schema, "$ref"))
            elif schema.get("allOf"):
                merged = _without(schema, "allOf")
                for part in schema["allOf"]:
                    merged = _merge(merged, part if isinstance(part, dict) else {})
                schema = merged
            elif schema.get("anyOf") or schema.get("oneOf"):
                word = "anyOf" if schema.get("anyOf") else "oneOf"
                schema = _merge(_without(schema, word), self._alternative(schema[word], depth))
            else:
                return schema
        raise _impossible("its references go round in a circle")

    def _alternative(self, choices: list[Any], depth: int) -> Schema:
        allowed = [choice for choice in choices if isinstance(choice, dict)]
        if not allowed:
            return {}
        simple = [choice for choice in allowed if _is_leaf(choice)]
        if depth > LIBERAL_DEPTH and simple:
            return simple[-1]
        full = [choice for choice in allowed if choice.get("type") != "null"]
        return self.random.choice(full or allowed)

    def _follow(self, reference: str) -> Schema:
        at: Any = self.root
        if not reference.startswith("#"):
            raise _impossible(f"the reference {reference!r} leads elsewhere")
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(at, dict) or key not in at:
                raise _impossible(f"the reference {reference!r} leads nowhere")
            at = at[key]
        return at if isinstance(at, dict) else {}

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = set(schema.get("required") or ())
        known = schema.get("properties") or {}
        made = {
            name: self.make(part, name, depth + 1)
            for name, part in known.items()
            if name in required or depth < LIBERAL_DEPTH
        }
        extra = schema.get("additionalProperties", True)
        missing = [name for name in sorted(required) if name not in made]
        least = _count(schema, "minProperties") - len(made) - len(missing)
        missing += [f"{self._word()}_{number}" for number in range(min(max(0, least), MOST_NODES))]
        for name in missing:
            made[name] = self.make(extra if isinstance(extra, dict) else True, name, depth + 1)
        return made

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least, most = _count(schema, "minItems"), schema.get("maxItems")
        wanted = max(least, self.random.randint(1, 3) if depth <= LIBERAL_DEPTH else 0)
        wanted = wanted if most is None else min(wanted, max(int(most), 0))
        fixed = schema.get("prefixItems") or []
        items = schema.get("items", True)
        made: list[Any] = []
        for position in range(max(wanted, len(fixed))):
            part = fixed[position] if position < len(fixed) else items
            if part is False:
                break
            value = self._another(part, name, depth, made if schema.get("uniqueItems") else [])
            if value is not _NONE_LEFT:
                made.append(value)
        if isinstance(schema.get("contains"), dict) and made:
            made[-1] = self.make(schema["contains"], name, depth + 1)
        if len(made) < least:
            raise _impossible("there are not enough different items")
        return made

    def _another(self, part: AnySchema, name: str, depth: int, made: list[Any]) -> Any:
        for _ in range(20):
            value = self.make(part, name, depth + 1)
            if value not in made:
                return value
        return _NONE_LEFT

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        low = _bound(schema, "minimum", "exclusiveMinimum", max)
        high = _bound(schema, "maximum", "exclusiveMaximum", min)
        step = schema.get("multipleOf") or (1 if whole else None)
        if low is None:
            low = min(0.0, high - 100 * (step or 1)) if high is not None else 0.0
        if high is None:
            high = low + 100 * (step or 1)
        if step:
            return self._multiple(schema, step, low, high)
        value = round(low + (high - low) * (0.1 + 0.8 * self.random.random()), 2)
        return value if low < value < high else (low + high) / 2

    def _multiple(self, schema: Schema, step: float, low: float, high: float) -> int | float:
        first, last = math.ceil(low / step), math.floor(high / step)
        first += first * step == schema.get("exclusiveMinimum")
        last -= last * step == schema.get("exclusiveMaximum")
        if first > last:
            raise _impossible("no number lies between its bounds")
        value = self.random.randint(first, last) * step
        return int(value) if float(value).is_integer() else round(value, 10)

    def _string(self, schema: Schema, name: str) -> str:
        least, most = _count(schema, "minLength"), schema.get("maxLength")
        text = self._shaped(schema) or self._named(name)
        if len(text) < least and "pattern" not in schema:
            self._spend(least)
            text += "".join(f" {self._word()}" for _ in range((least - len(text)) // 4 + 1))
            text = text[: max(least, 1)]
        if most is not None and len(text) > most:
            text = text[: int(most)]
        self._spend(len(text))
        return text

    def _shaped(self, schema: Schema) -> str | None:
        if isinstance(schema.get("pattern"), str):
            try:
                return matching(schema["pattern"], self.random)
            except Unsupported:
                return None
        choices = _BY_FORMAT.get(str(schema.get("format")))
        return self.random.choice(choices) if choices else None

    def _named(self, name: str) -> str:
        choices = _BY_NAME.get(name.lower())
        return self.random.choice(choices) if choices else self._word()

    def _word(self) -> str:
        return self.random.choice(_WORDS)

    def _spend(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise _impossible("it asks for a longer text than is made up here")


_NONE_LEFT = object()


def _kind(schema: Schema, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        others = [one for one in kind if one != "null"]
        kind = "null" if depth > LIBERAL_DEPTH and "null" in kind else (others or ["null"])[0]
    if isinstance(kind, str):
        return kind
    for word, implied in (("properties", "object"), ("required", "object"), ("items", "array"), ("minimum", "number")):
        if word in schema:
            return implied
    return "string"


def _is_leaf(schema: Schema) -> bool:
    return "$ref" not in schema and schema.get("type") not in ("object", "array") and "properties" not in schema


def _without(schema: Schema, word: str) -> Schema:
    return {key: value for key, value in schema.items() if key != word}


def _merge(first: Schema, second: Schema) -> Schema:
    """Both at once, where that is simple: properties and requirements add up, bounds narrow, else the second wins."""
    merged = first | second
    if "properties" in first and "properties" in second:
        both = dict(first["properties"])
        for name, part in second["properties"].items():
            both[name] = {"allOf": [both[name], part]} if name in both else part
        merged["properties"] = both
    if "required" in first and "required" in second:
        merged["required"] = [*first["required"], *second["required"]]
    for word, pick in _NARROWER.items():
        if word in first and word in second:
            merged[word] = pick(first[word], second[word])
    if isinstance(first.get("enum"), list) and isinstance(second.get("enum"), list):
        merged["enum"] = [value for value in first["enum"] if value in second["enum"]]
    if "allOf" in first and "allOf" in second:
        merged["allOf"] = [*first["allOf"], *second["allOf"]]
    for word in ("anyOf", "oneOf"):
        if word in first and word in second:
            merged["allOf"] = [*merged.get("allOf", []), {word: first[word]}]
    return merged


_NARROWER = {
    "minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max, "minProperties": max,
    "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min,
}  # fmt: skip


def _bound(schema: Schema, inclusive: str, exclusive: str, pick: Any) -> float | None:
    given = [schema[word] for word in (inclusive, exclusive) if isinstance(schema.get(word), int | float)]
    return pick(given) if given else None


def _count(schema: Schema, word: str) -> int:
    value = schema.get(word)
    return max(0, int(value)) if isinstance(value, int | float) else 0


def _impossible(why: str) -> InvalidRequest:
    return InvalidRequest(f"No value can be made for the schema: {why}.", code="invalid_schema")
