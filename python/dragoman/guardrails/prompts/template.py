"""Templates: texts with places for values, and nothing else. No conditions, no loops, nothing is evaluated.

A value is put in as it is into the user's own words. Into words that a model trusts (``system``, ``assistant``) free
text goes as a JSON string, in quotes and on one line, so that nothing in it can pass for a line of the template; values
of other types cannot hold any such thing. What a value holds is never looked at for places again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.config.prompting import PLACE
from dragoman.dialects.canonical import Message, Text
from dragoman.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from dragoman.config.prompting import Prompt, Variable, Version

# Whose words a model follows.
TRUSTED = frozenset({"system", "assistant"})
_LINE_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


class Called(Struct, frozen=True):
    """The field ``prompt``."""

    id: str
    version: str | int | None = None
    variables: dict[str, Any] = {}


class Filled(Struct, frozen=True, kw_only=True):
    """A template with its values."""

    id: str
    version: str
    messages: tuple[Message, ...]
    parameters: dict[str, Any]
    model: str

    @property
    def told(self) -> str:
        """The value of x-dragoman-prompt."""
        return f"{self.id}@{self.version}"


def fill(called: Called, prompt: Prompt | None) -> Filled:
    """Put values into a template.

    Raises:
        NotFound: there is none of that name or version.
        InvalidRequest: a value is missing, is not of its type, or is of no variable; names it.
    """
    if prompt is None:
        raise NotFound(f"There is no prompt {called.id!r}.", code="prompt_not_found", param="prompt.id")
    name = prompt.usual if called.version is None else str(called.version)
    version = prompt.versions.get(name)
    if version is None:
        message = f"The prompt {called.id!r} has no version {name!r}; it has {', '.join(prompt.versions)}."
        raise NotFound(message, code="prompt_not_found", param="prompt.version")
    values = _values(called, version)
    messages = tuple(
        Message(role=turn.role, blocks=(Text(text=_written(turn.text, turn.role, values)),))
        for turn in version.messages
    )
    return Filled(
        id=called.id, version=name, messages=messages, parameters=version.parameters.named, model=version.model
    )


def _values(called: Called, version: Version) -> dict[str, tuple[str, Any]]:
    """Each variable's type, and its value."""
    unknown = called.variables.keys() - version.variables.keys()
    if unknown:
        name = min(unknown)
        known = ", ".join(version.variables) or "none"
        raise _wrong(name, f"is no variable of the prompt {called.id!r}; there are {known}")
    values: dict[str, tuple[str, Any]] = {}
    for name, variable in version.variables.items():
        value = called.variables.get(name, variable.default)
        if value is None:
            raise _wrong(name, "is missing")
        values[name] = variable.type, _checked(name, variable, value)
    return values


def _checked(name: str, variable: Variable, value: Any) -> Any:
    if type(value) is dict and value.get("type") == "input_text":  # as the Responses API writes texts
        value = value.get("text")
    kind = variable.type
    if kind == "boolean":
        return _typed(name, value, bool, "true or false")
    if kind in ("integer", "number"):
        return _number(name, variable, value)
    text: str = _typed(name, value, str, "a string")
    if kind == "choice" and text not in variable.choices:
        raise _wrong(name, f"is none of {', '.join(variable.choices)}")
    if len(text) > variable.max_chars:
        raise _wrong(name, f"is over {variable.max_chars} characters")
    if kind == "line" and not _LINE_BREAKS.isdisjoint(text):
        raise _wrong(name, "has a line break")
    return text


def _number(name: str, variable: Variable, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int if variable.type == "integer" else (int, float)):
        raise _wrong(name, "is no whole number" if variable.type == "integer" else "is no number")
    least, most = variable.minimum, variable.maximum
    if (least is not None and value < least) or (most is not None and value > most):
        raise _wrong(name, f"is not from {'any' if least is None else least} to {'any' if most is None else most}")
    number: int | float = value
    return number


def _typed(name: str, value: Any, kind: type, said: str) -> Any:
    if type(value) is not kind:
        raise _wrong(name, f"is not {said}")
    return value


def _wrong(name: str, what: str) -> InvalidRequest:
    at = f"prompt.variables.{name}"
    return InvalidRequest(f"The field {at} {what}.", code="invalid_variable", param=at)


def _written(text: str, role: str, values: dict[str, tuple[str, Any]]) -> str:
    """A text with values in their places."""

    def value(name: str) -> str:
        kind, given = values[name]
        if kind == "text" and role not in TRUSTED:
            return str(given)
        if kind in ("text", "boolean"):
            return msgspec.json.encode(given).decode()
        return str(given)

    return PLACE.sub(lambda place: value(place[1]), text)
