"""What requests may ask for: defaults, caps, what is forced and what is forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.fields import FIELDS, Json, drop, get, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.config.prompting import Parameters


def with_defaults(body: Json, dialect: str, defaults: dict[str, Any]) -> None:
    """Set what a request says nothing of. What its dialect has no word for is left."""
    fields = FIELDS[dialect]
    for name, value in defaults.items():
        if name in fields and get(body, fields[name]) is None:
            put(body, fields[name], value)


def apply_policies(body: Json, dialect: str, policies: Sequence[Parameters]) -> list[str]:
    """Hold a request to the policies; what was changed of it.

    Raises:
        InvalidRequest: it asks for what is forbidden; names the field.
    """
    fields = FIELDS[dialect]
    changed = []
    for policy in policies:
        for banned in policy.forbidden:
            if banned not in fields or get(body, fields[banned]) is None:
                continue
            if policy.on_forbidden == "refuse":
                param = ".".join(fields[banned][0])
                raise InvalidRequest(
                    f"The field {param} may not be used here.", code="parameter_forbidden", param=param
                )
            drop(body, fields[banned])
            changed.append(f"{banned}=dropped")
        with_defaults(body, dialect, policy.defaults.named)
        for name, value in policy.forced.named.items():
            if name in fields and get(body, fields[name]) != value:
                put(body, fields[name], value)
                changed.append(f"{name}=forced")
        changed += _capped(body, fields, policy.caps.named)
    return changed


def _capped(body: Json, fields: dict[str, Any], caps: dict[str, Any]) -> list[str]:
    changed = []
    for name, most in caps.items():
        if name not in fields or isinstance(most, list):
            continue
        for way in fields[name]:
            asked = get(body, (way,))
            endless = name == "max_tokens" and (asked == "inf" or (isinstance(asked, int | float) and asked < 0))
            if endless or (isinstance(asked, int | float) and asked > most):
                put(body, (way,), most)
                changed.append(f"{name}=capped")
        if name == "max_tokens" and get(body, fields[name]) is None:
            put(body, fields[name], most)
    return changed
