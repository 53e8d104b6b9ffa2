"""What hosts of OpenAI's dialect do not take, or call otherwise: the last thing that is done to a request's body.

It works on the body as JSON, so that it serves a request that comes from another dialect as well as one that is of this
dialect already and would otherwise be passed on byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.dialects.canonical import Json
from dragoman.dialects.dialect import Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.mistral import adjust_request
from dragoman.dialects.openai_chat.models import OPENAI_HOSTS, SAMPLING, may_not_think, takes_stop, thinks

if TYPE_CHECKING:
    from dragoman.core import RequestBody

# Fields that change what the client asked for; without any other, the answer is still one to the question.
MEANING = frozenset({"response_format", "tools", "tool_choice", "n", "logprobs", "modalities", "audio"})
# Fields whose default value says nothing, and may as well be left out.
DEFAULTS: Json = {"n": 1, "logprobs": False, "tool_choice": "auto", "response_format": {"type": "text"}}
# A host that knows no limit by this name knows it by the other.
LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
STRICT_TEMPERATURE = 2.0
STOPS = 4


def concerned(body: RequestBody, target: Target) -> bool:
    """Whether a request that is of this dialect already has anything that the target does not take."""
    return any(map(body.field, refused_by(target)))


def refused_by(target: Target) -> list[str]:
    """The fields that a target does not take."""
    wanted = _limit_of(target)
    return [*target.unsupported] if wanted == "either" else [LIMITS[wanted], *target.unsupported]


def adjust(body: Json, target: Target, losses: Losses) -> Json:
    """The body as the target takes it."""
    _limit(body, target)
    if target.provider in OPENAI_HOSTS and thinks(target.model):
        _thinking_model(body, target, losses)
    elif target.provider in OPENAI_HOSTS and "top_k" in body:
        body.pop("top_k")
        losses.drop("top_k", "OpenAI has none")
    for name in target.unsupported:
        if name not in body:
            continue
        value = body.pop(name)
        if value is None or DEFAULTS.get(name, ...) == value:
            continue
        losses.drop(name, f"{target.provider or 'the provider'} does not take it", meaning=name in MEANING)
    if "tools" not in body:
        for name in ("tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    stops = body.get("stop")
    if isinstance(stops, list) and len(stops) > STOPS and target.provider in OPENAI_HOSTS:
        body["stop"] = stops[:STOPS]
        losses.approximate("stop", f"at most {STOPS}")
    if target.provider in ("mistral", "codestral"):
        body = adjust_request(body)
    return body


def _limit_of(target: Target) -> str:
    """The one name that the target has for the limit of tokens, or ``either``."""
    if target.max_tokens_field == "either" and target.provider in OPENAI_HOSTS and thinks(target.model):
        return "max_completion_tokens"
    return target.max_tokens_field


def _limit(body: Json, target: Target) -> None:
    wanted = _limit_of(target)
    if wanted == "either":
        return
    other = LIMITS[wanted]
    if other in body:
        limit = body.pop(other)
        body.setdefault(wanted, limit)


def _thinking_model(body: Json, target: Target, losses: Losses) -> None:
    """OpenAI's models that think take no sampling, unless they can be and are told not to think."""
    if body.get("reasoning_effort") == "none" and may_not_think(target.model):
        return
    refused = (*SAMPLING, "top_k") if takes_stop(target.model) else (*SAMPLING, "top_k", "stop")
    for name in refused:
        if name not in body:
            continue
        value = body.pop(name)
        if value in (None, False, [], {}) or (name in ("temperature", "top_p") and value == 1):
            continue
        losses.drop(name, f"{target.model} does not take it", meaning=name in MEANING)
