"""What is passed through, under the controls of prompts.

Where a path's bodies are of a dialect that is read here, they are held to it. Others that may ask a model for words are
refused where anything has to be: nobody gets by a control by taking another path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.core import RequestBody
from dragoman.dialects.dialect import Path
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.apply import Shaped, shaped, without_call
from dragoman.guardrails.prompts.template import Called
from dragoman.routing.surface import Surface

if TYPE_CHECKING:
    from dragoman.guardrails.prompts.build import Rules
    from dragoman.guardrails.prompts.template import Filled

Fill = Callable[[RequestBody, Surface], "Filled | None"]
_decode, _encode = msgspec.json.decode, msgspec.json.encode
_RESPONSES = Surface(
    endpoint="responses", dialect="openai_responses", native=lambda at, model: "/responses", stores=True
)
_MESSAGES = Surface(endpoint="messages", dialect="anthropic", native=lambda at, model: "/messages")


class Known(Struct, frozen=True):
    """A path whose bodies are read."""

    surface: Surface  # whose bodies they are
    listed: tuple[str, str] | None = None  # the list in which they stand, and the field of its items


KNOWN = {
    "/responses/compact": Known(_RESPONSES),
    "/responses/input_tokens": Known(_RESPONSES),
    "/messages/batches": Known(_MESSAGES, ("requests", "params")),
}
# What begins like this asks no model for words.
WORDLESS = ("/moderations", "/vector_stores", "/fine_tuning/")


def controlled(path: str, raw: bytes, body: RequestBody | None, rules: Rules, fill: Fill) -> Shaped:
    """A body as prompt controls leave it.

    :param path: without the version.
    :param body: the same, read; ``None``: it is no JSON.
    :param fill: the template that a body calls, with its values.

    Raises:
        RequestError: it asks for what is forbidden, or cannot be controlled.
    """
    known = KNOWN.get(path)
    if known is None:
        if raw and rules.binding and not path.startswith(WORDLESS):
            names = " and ".join(rules.binding)
            message = f"The bodies of {path} are not read, and cannot be held to {names}, which are for this request."
            raise InvalidRequest(message, code="uncontrolled_prompt", param="model")
        if body is not None and _calls(body, fill):
            message = f"The bodies of {path} are not read: no prompt is called there."
            raise InvalidRequest(message, code="uncontrolled_prompt", param="prompt")
        return Shaped(raw)
    if not raw:
        return Shaped(raw)
    if body is None:
        raise InvalidRequest(f"The body of {path} is no JSON.", code="invalid_json")
    if known.listed is None:
        return _one(raw, known.surface, rules, fill)
    whole: Any = _decode(raw)
    name, field = known.listed
    items = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and field in item for item in items):
        raise InvalidRequest(f"The field {name} is no list of objects with {field}.", param=name)
    done = [_one(_encode(item[field]), known.surface, rules, fill) for item in items]
    for item, one in zip(items, done, strict=True):
        item[field] = msgspec.Raw(one.raw)
    told = dict.fromkeys(change for one in done for change in one.changed.split(", ") if change)
    return Shaped(_encode(whole), ", ".join(told))


def _calls(body: RequestBody, fill: Fill) -> bool:
    """Whether a template of ours is called, in a body that may mean something else by the field."""
    try:
        _decode(body.field("prompt") or b"null", type=Called)
    except msgspec.ValidationError:
        return False
    return fill(body, _RESPONSES) is not None


def _one(raw: bytes, surface: Surface, rules: Rules, fill: Fill) -> Shaped:
    at = Path()
    filled = fill(RequestBody(raw), surface)
    if filled is not None:
        raw = without_call(raw, filled, surface, at)
    return shaped(raw, surface, at, filled, rules)
