"""Writes a generateContent request."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragoman.dialects.canonical import Format, Json, Request, Thinking, Tool
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.gemini.contents import write_contents, write_own_contents
from dragoman.dialects.gemini.models import (
    BUDGETS,
    LEVELS,
    always_thinks,
    budget_for,
    takes_json_schema,
    takes_level,
    thinks,
)
from dragoman.dialects.gemini.parts import NAME
from dragoman.dialects.gemini.schema import fitted_schema
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo

STOPS = 5
SERVER_TOOLS = {"web_search": "googleSearch", "web_fetch": "urlContext", "code_execution": "codeExecution"}
WITHOUT_WORDS = {"logit_bias": False, "verbosity": False, "cache_key": False, "store": False, "metadata": False}


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Google gets it."""
    action = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
    path = f"/models/{quote(target.model.removeprefix('models/'), safe='/:@')}:{action}"
    if request.dialect == NAME:
        return Outgoing(path=path, body=msgspec.json.encode(_own(request)))
    body: Json = {}
    undo = _write_tools(body, request, target, losses)
    write_contents(body, request, target, losses, undo)
    config: Json = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "seed": request.seed,
        "stopSequences": list(request.stop[:STOPS]) or None,
        "candidateCount": request.n,
        "responseLogprobs": request.logprobs,
        "logprobs": request.top_logprobs if request.logprobs else None,
        "responseModalities": [kind.upper() for kind in request.modalities] or None,
        "thinkingConfig": _thinking(request.thinking, target, losses),
        **_format(request.format, target),
    }
    config = {name: value for name, value in config.items() if value is not None}
    if config:
        body["generationConfig"] = config
    if request.user and target.provider == "vertex":
        body["labels"] = {"user": fitted_name(request.user, 63).lower()}
    _name_losses(request, target, losses)
    return Outgoing(path=path, body=msgspec.json.encode(body), undo=undo)


def _own(request: Request) -> Json:
    """A request of this dialect, as it was."""
    body: Json = {}
    write_own_contents(body, request)
    for name, value in request.extra.items():
        if name.startswith("_"):
            body[name[1:]] = value
        elif "." not in name:
            body[name] = value
    if request.service_tier is not None:
        body["serviceTier"] = request.service_tier
    return body


def _write_tools(body: Json, request: Request, target: Target, losses: Losses) -> Undo:
    declared: list[Json] = []
    tools: list[Json] = []
    renamed: dict[str, str] = {}
    for index, tool in enumerate(request.tools):
        if tool.kind == "server":
            known = SERVER_TOOLS.get(tool.type)
            if known is None:
                losses.drop(f"tools[{index}]", f"the provider's own tool {tool.type}")
            else:
                losses.approximate(f"tools[{index}]", f"as {known}")
                tools.append({known: {}})
            continue
        name = fitted_name(tool.name)
        name = name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"[:64]
        if name != tool.name:
            renamed[name] = tool.name
        declared.append(_declaration(tool, name, target))
        if tool.strict:
            losses.approximate("tools.strict", "the model keeps to the schema as well as it can")
    if declared:
        tools.insert(0, {"functionDeclarations": declared})
    if tools:
        body["tools"] = tools
        _write_choice(body, request, {name: sent for sent, name in renamed.items()}, losses)
    custom = frozenset(tool.name for tool in request.tools if tool.kind == "custom")
    return Undo(renamed=renamed, custom=custom)


def _declaration(tool: Tool, name: str, target: Target) -> Json:
    written: Json = {"name": name}
    if tool.description:
        written["description"] = tool.description
    schema = CUSTOM_SCHEMA if tool.kind == "custom" else tool.parameters
    if not schema or (not schema.get("properties") and set(schema) <= {"type", "properties", "required", "title"}):
        return written  # an object without properties is refused
    if takes_json_schema(target.model):
        written["parametersJsonSchema"] = schema
    else:
        written["parameters"] = fitted_schema(schema)
    return written


def _write_choice(body: Json, request: Request, names: dict[str, str], losses: Losses) -> None:
    choice = request.tool_choice
    if request.parallel_tools is False:
        losses.drop("parallel_tool_calls", "cannot be turned off")
    if choice is None:
        return
    modes = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
    config: Json = {"mode": modes.get(choice.mode, "ANY" if choice.required else "VALIDATED")}
    if choice.names:
        config["allowedFunctionNames"] = [names.get(name, name) for name in choice.names]
    body["toolConfig"] = {"functionCallingConfig": config}


def _format(form: Format | None, target: Target) -> Json:
    if form is None or form.kind == "text":
        return {}
    if form.kind == "json" or form.schema is None:
        return {"responseMimeType": "application/json"}
    if takes_json_schema(target.model):
        return {"responseMimeType": "application/json", "responseJsonSchema": form.schema}
    return {"responseMimeType": "application/json", "responseSchema": fitted_schema(form.schema)}


def _thinking(thinking: Thinking | None, target: Target, losses: Losses) -> Json | None:
    if thinking is None:
        return None
    if not thinks(target.model):
        losses.drop("reasoning_effort", "the model does not think")
        return None
    written: Json = {}
    off = thinking.effort == "none" or thinking.budget == 0
    if thinking.show is not None and not off:
        written["includeThoughts"] = thinking.show
    if takes_level(target.model):
        effort = "minimal" if off else thinking.effort or _effort(thinking.budget)
        if off or (thinking.effort is None and effort):
            losses.approximate("reasoning_effort", f"as the level {effort}")
        if effort:
            written["thinkingLevel"] = LEVELS.get(effort, effort)
    elif off:
        written["thinkingBudget"] = budget_for(target.model, 0) if always_thinks(target.model) else 0
        if always_thinks(target.model):
            losses.approximate("reasoning_effort", "the model always thinks; as little as it can")
    else:
        budget = thinking.budget if thinking.budget is not None else BUDGETS.get(thinking.effort or "")
        if budget is not None:
            written["thinkingBudget"] = budget_for(target.model, budget)
            if thinking.budget is None:
                losses.approximate("reasoning_effort", f"as a budget of {written['thinkingBudget']} tokens")
    return written or None


def _effort(budget: int | None) -> str | None:
    if budget is None or budget < 0:
        return None
    return "low" if budget <= 1024 else "medium" if budget <= 8192 else "high"


def _name_losses(request: Request, target: Target, losses: Losses) -> None:
    for name, meaning in WITHOUT_WORDS.items():
        value = getattr(request, name)
        if value is not None and value is not False and value != {}:
            losses.drop(name, "Gemini has none", meaning=meaning)
    if request.user and target.provider != "vertex":
        losses.drop("user", "Gemini has none")
    if request.service_tier not in (None, "auto", "default"):
        losses.drop("service_tier", "tiers are the provider's own")
    if len(request.stop) > STOPS:
        losses.approximate("stop", f"at most {STOPS}")
    losses.drop_own(request)
