"""Answers that are to be JSON of a schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.core import Pattern
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.config.guards import Schema
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage


class OfSchema:
    """Holds whole answers, each of several, to a schema: the configured one, or that which the request asks for.

    What a model thinks on the way, and what stands beside its words, is no part of them.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema: dict[str, Any] = schema.schema

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """What is wrong with the answer."""
        schema = self._schema or about.schema
        if not schema:
            return None
        texts: dict[int, str] = {}
        for passage in passages:
            if passage.place == "output" and not passage.aside:
                texts[passage.choice] = texts.get(passage.choice, "") + passage.text
        faults = (_fault(text, schema) for text in texts.values())
        return next((fault for fault in faults if fault is not None), None)


def _fault(text: str, schema: dict[str, Any]) -> Finding | None:
    from jsonschema.exceptions import SchemaError, ValidationError

    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return Finding(reason="it is no JSON")
    try:
        _validator(schema).validate(value)
    except ValidationError as fault:
        where = ".".join(str(step) for step in fault.absolute_path) or "the whole"
        return Finding(reason=f"it is not of the schema: {where}: {fault.validator}", signals=(str(fault.validator),))
    except SchemaError:
        return Finding(reason="the schema is none")
    return None


def _validator(schema: dict[str, Any]) -> Any:
    """What holds values to a schema that a client may have sent.

    Its patterns are searched for by an engine that no text makes slow, and nothing that it refers to is fetched.

    Raises:
        SchemaError: it is none.
    """
    from jsonschema import validators
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    kind = validators.validator_for(schema)
    kind.check_schema(schema)
    if "$ref" in str(schema) and "$ref': 'http" in str(schema):
        raise SchemaError("it refers to what is elsewhere")
    linear = validators.extend(  # type: ignore[no-untyped-call]
        kind, {"pattern": _pattern, "patternProperties": _pattern_properties}
    )
    return linear(schema, registry=Registry())


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _found(pattern, instance):
        yield ValidationError("the pattern is not there")


def _pattern_properties(validator: Any, properties: dict[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in properties.items():
        for name, value in instance.items():
            if _found(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Pattern | None:
    try:
        return Pattern(pattern)
    except ValueError:
        return None  # it asks for more than such an engine has: nothing is held to it


def _found(pattern: str, text: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.found(text)
