"""Writes a chat request, for OpenAI's models and for the hosts that speak its dialect more or less.

A host departs from OpenAI in what its catalogue row says (:class:`~dragoman.dialects.dialect.Target`) and in what
:mod:`~dragoman.dialects.openai_chat.models` knows by name; :mod:`~dragoman.dialects.openai_chat.hosts` has the last
word.
"""

from __future__ import annotations

import msgspec

from dragoman.dialects.canonical import Format, Json, Request, Thinking, Tool, ToolChoice
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.openai_chat import hosts
from dragoman.dialects.openai_chat.content import NAME
from dragoman.dialects.openai_chat.conversation import write_messages
from dragoman.dialects.openai_chat.models import OPENAI_HOSTS, REASONING_OBJECT, thinks
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo

PATH = "/chat/completions"
# Budgets of tokens that efforts stand for, least first.
OWN = Undo()  # of a request that is of this dialect already
BUDGETS = ((1024, "low"), (8192, "medium"))


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as the target gets it."""
    own = request.dialect == NAME
    undo = _undo(request, target, own=own)
    sent = {name: sent for sent, name in undo.renamed.items()}
    body: Json = {"model": target.model, "messages": write_messages(request, target, losses, sent)}
    _write_tools(body, request, undo, losses, own=own)
    _write_sampling(body, request)
    body["max_completion_tokens" if thinks(target.model) else "max_tokens"] = request.max_tokens
    if own and "max_tokens" not in request.extra:
        body["max_completion_tokens"], body["max_tokens"] = request.max_tokens, None
    body["response_format"] = _format(request.format, own=own)
    if request.thinking is not None:
        _write_thinking(body, request.thinking, target, losses, own=own)
    if request.modalities and request.modalities != ("text",):
        body["modalities"] = list(request.modalities)
    if request.stream:
        body["stream"] = True
        if target.stream_usage:
            body["stream_options"] = {"include_usage": True}
    _write_account(body, request, target, losses, own=own)
    if own:
        options = {**request.extra.get("stream_options", {}), **body.get("stream_options", {})}
        body |= request.extra
        body["stream_options"] = options or None
    body = {name: value for name, value in body.items() if value is not None}
    return Outgoing(path=PATH, body=msgspec.json.encode(hosts.adjust(body, target, losses)), undo=undo)


def _undo(request: Request, target: Target, *, own: bool) -> Undo:
    if own:
        return OWN
    renamed = {
        fitted: tool.name for tool in request.tools if (fitted := fitted_name(tool.name)) != tool.name and tool.name
    }
    custom = frozenset(tool.name for tool in request.tools if tool.kind == "custom")
    return Undo(renamed=renamed, custom=frozenset() if target.provider in OPENAI_HOSTS else custom)


def _write_sampling(body: Json, request: Request) -> None:
    body.update(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        seed=request.seed,
        stop=list(request.stop) or None,
        n=request.n,
        logprobs=request.logprobs,
        top_logprobs=request.top_logprobs,
        logit_bias=request.logit_bias,
        verbosity=request.verbosity,
    )


def _write_account(body: Json, request: Request, target: Target, losses: Losses, *, own: bool) -> None:
    """Fields that speak of the client's account rather than of the answer."""
    first_party = target.provider in OPENAI_HOSTS
    if request.user:
        old = own and "user" not in request.extra and not first_party
        body["safety_identifier" if first_party and not old else "user"] = request.user
    body["service_tier"] = request.service_tier if own or request.service_tier in ("auto", "default") else None
    body["store"] = request.store if own else None
    if own or first_party:
        body["prompt_cache_key"] = request.cache_key
    if request.metadata:
        if own or (first_party and request.store):
            body["metadata"] = request.metadata
        else:
            losses.drop("metadata", "kept by OpenAI alone, with stored answers")
    if not own:
        losses.drop_own(request)


def _write_tools(body: Json, request: Request, undo: Undo, losses: Losses, *, own: bool) -> None:
    names = {name: sent for sent, name in undo.renamed.items()}
    tools = []
    for index, tool in enumerate(request.tools):
        if own and (tool.type == "functions" or (tool.kind == "server" and "web_search_options" in request.extra)):
            continue  # stands among the extra fields
        if tool.kind == "server" and not own:
            losses.drop(f"tools[{index}]", f"the provider's own tool {tool.type}")
            continue
        tools.append(_tool(tool, names, undo, own=own))
    if not tools:
        return
    body["tools"] = tools
    body["parallel_tool_calls"] = request.parallel_tools
    choice = request.tool_choice
    if choice is not None and not choice.extra.get("function_call"):
        body["tool_choice"] = _choice(choice, request.tools, names, undo)


def _tool(tool: Tool, names: dict[str, str], undo: Undo, *, own: bool) -> Json:
    if own and tool.kind == "server":
        named = {"name": tool.name} if tool.name else {}
        return {"type": tool.type, **named, **tool.extra}
    extra = tool.extra if own else {}
    name = names.get(tool.name, tool.name)
    described: Json = {"description": tool.description} if tool.description else {}
    if tool.kind == "custom" and tool.name not in undo.custom:
        form = tool.extra.get("format")
        custom = {"name": name, **described, **extra.get("custom", {}), **({"format": form} if form else {})}
        return {"type": "custom", **extra, "custom": custom}
    function: Json = {"name": name, **described}
    parameters = CUSTOM_SCHEMA if tool.kind == "custom" else tool.parameters
    if parameters is not None:
        function["parameters"] = parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", **extra, "function": {**function, **extra.get("function", {})}}


def _choice(choice: ToolChoice, tools: tuple[Tool, ...], names: dict[str, str], undo: Undo) -> Json | str:
    kinds = {
        tool.name: "custom" if tool.kind == "custom" and tool.name not in undo.custom else "function" for tool in tools
    }

    def named(name: str) -> Json:
        kind: str = kinds.get(name) or choice.extra.get("type", "function")
        written: Json = {"type": kind}
        written[kind] = {"name": names.get(name, name)}
        return written

    if choice.mode == "named" and choice.names:
        return named(choice.names[0])
    if choice.mode == "allowed":
        mode = "required" if choice.required else "auto"
        allowed = {"mode": mode, "tools": [named(name) for name in choice.names]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    word: str = choice.extra.get("word", choice.mode)
    return word if undo is OWN else choice.mode


def _format(form: Format | None, *, own: bool) -> Json | None:
    if form is None:
        return None
    extra = form.extra if own else {}
    if form.kind == "text":
        return {"type": "text", **extra} if own else None
    if form.kind == "json":
        return {"type": "json_object", **extra}
    schema: Json = {"name": form.name or "answer", "schema": form.schema}
    if own:
        schema["name"] = form.name
    if form.description:
        schema["description"] = form.description
    if form.strict is not None:
        schema["strict"] = form.strict
    schema = {name: value for name, value in schema.items() if value is not None}
    return {"type": "json_schema", "json_schema": {**schema, **extra}}


def _write_thinking(body: Json, thinking: Thinking, target: Target, losses: Losses, *, own: bool) -> None:
    if own and thinking.extra:
        return  # stands among the extra fields
    if target.provider in REASONING_OBJECT and (thinking.budget or thinking.show is not None):
        counted = thinking.budget is not None and thinking.budget > 0
        limit: Json = {"max_tokens": thinking.budget} if counted else {"effort": thinking.effort}
        body["reasoning"] = {name: value for name, value in limit.items() if value is not None} or {"enabled": True}
        return
    effort = thinking.effort or _effort(thinking.budget)
    if effort is None:
        return
    if thinking.effort is None:
        losses.approximate("thinking.budget", "told as an effort")
    body["reasoning_effort"] = effort


def _effort(budget: int | None) -> str | None:
    if budget is None or budget < 0:
        return None
    if budget == 0:
        return "none"
    return next((effort for most, effort in BUDGETS if budget <= most), "high")
