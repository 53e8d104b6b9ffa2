"""Writes a request of the Responses API."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Format, Json, Message, Request, Thinking, Tool, ToolChoice
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.openai_chat.models import SAMPLING, may_not_think, thinks
from dragoman.dialects.openai_responses.content import NAME
from dragoman.dialects.openai_responses.conversation import write_input
from dragoman.dialects.openai_responses.items import own_item
from dragoman.dialects.undo import Undo

PATH = "/responses"
ENCRYPTED = "reasoning.encrypted_content"
SERVER_TOOLS: dict[str, Json] = {
    "web_search": {"type": "web_search"},
    "code_execution": {"type": "code_interpreter", "container": {"type": "auto"}},
    "image_generation": {"type": "image_generation"},
}
WITHOUT_WORDS = {
    "stop": False,
    "n": True,
    "frequency_penalty": False,
    "presence_penalty": False,
    "seed": False,
    "logit_bias": False,
    "top_k": False,
}


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as the provider gets it."""
    own = request.dialect == NAME
    body: Json = {"model": target.model}
    undo = Undo() if own else _undo(request)
    sent = {name: fitted for fitted, name in undo.renamed.items()}
    if own:
        _write_own_input(body, request.messages)
    else:
        write_input(body, request, target, losses, sent)
    _write_tools(body, request, sent, losses)
    body["max_output_tokens"] = request.max_tokens
    if request.parallel_tools is not None and (own or "tools" in body):
        body["parallel_tool_calls"] = request.parallel_tools
    body |= {"temperature": request.temperature, "top_p": request.top_p, "top_logprobs": request.top_logprobs}
    _write_text(body, request)
    _write_thinking(body, request.thinking, losses, own=own)
    if request.stream:
        body["stream"] = True
    _write_account(body, request, target, losses)
    if own:
        body |= {name: value for name, value in request.extra.items() if name not in ("text", "input")}
    else:
        _fit_sampling(body, target, losses)
        _name_losses(request, losses)
    body = {name: value for name, value in body.items() if value is not None}
    return Outgoing(path=PATH, body=msgspec.json.encode(body), undo=undo)


def _undo(request: Request) -> Undo:
    fitted = {fitted_name(tool.name): tool.name for tool in request.tools if tool.name}
    return Undo(renamed={sent: name for sent, name in fitted.items() if sent != name})


def _write_own_input(body: Json, messages: tuple[Message, ...]) -> None:
    items: Any = []
    for message in messages:
        if message.top:
            body["instructions"] = "\n\n".join(getattr(block, "text", "") for block in message.blocks)
        elif "_string" in message.extra and sum(not one.top for one in messages) == 1 == len(message.blocks):
            items = getattr(message.blocks[0], "text", "")
        else:
            items.append(own_item(message))
    body["input"] = items


def _write_tools(body: Json, request: Request, sent: dict[str, str], losses: Losses) -> None:
    own = request.dialect == NAME
    tools = []
    for index, tool in enumerate(request.tools):
        if own and tool.kind == "server":
            tools.append(tool.extra)
        elif tool.kind == "server":
            known = SERVER_TOOLS.get(tool.type)
            if known is None:
                losses.drop(f"tools[{index}]", f"the provider's own tool {tool.type}")
            else:
                losses.approximate(f"tools[{index}]", f"as {known['type']}")
                tools.append(known)
        else:
            tools.append(_tool(tool, sent, own=own))
    if tools or (own and request.tools):
        body["tools"] = tools
    if request.tool_choice is not None and (own or tools):
        body["tool_choice"] = _choice(request.tool_choice, request, sent)


def _tool(tool: Tool, sent: dict[str, str], *, own: bool) -> Json:
    described: Json = {"description": tool.description} if tool.description else {}
    if own:
        typed: Json = {"name": tool.name, **described}
        if tool.kind == "function":
            typed |= {"parameters": tool.parameters}
            if tool.strict is not None:
                typed["strict"] = tool.strict
        return {**typed, "type": tool.kind, **tool.extra}
    name = sent.get(tool.name, tool.name)
    if tool.kind == "custom":
        form = tool.extra.get("custom", {}).get("format")
        return {"type": "custom", "name": name, **described, **({"format": form} if form else {})}
    # Left out, it would be strict here and not where the request comes from.
    schema = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "name": name, **described, "parameters": schema, "strict": tool.strict or False}


def _choice(choice: ToolChoice, request: Request, sent: dict[str, str]) -> Json | str:
    if request.dialect == NAME and choice.extra:
        return choice.extra
    kinds = {tool.name: tool.kind for tool in request.tools}

    def named(name: str) -> Json:
        return {"type": kinds.get(name, "function"), "name": sent.get(name, name)}

    if choice.mode == "named" and choice.names:
        return named(choice.names[0])
    if choice.mode == "allowed":
        mode = "required" if choice.required else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": [named(name) for name in choice.names]}
    return choice.mode


def _write_text(body: Json, request: Request) -> None:
    own = request.dialect == NAME
    text: Json = dict(request.extra.get("text", {})) if own else {}
    if request.format is not None and (own or request.format.kind != "text"):
        text["format"] = _format(request.format, own=own)
    if request.verbosity is not None:
        text["verbosity"] = request.verbosity
    if text:
        body["text"] = text


def _format(form: Format, *, own: bool) -> Json:
    extra = form.extra if own else {}
    if form.kind != "schema":
        return {"type": "text" if form.kind == "text" else "json_object", **extra}
    written: Json = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema or {}}
    if form.description:
        written["description"] = form.description
    if form.strict is not None:
        written["strict"] = form.strict
    return {**written, **extra}


def _write_thinking(body: Json, thinking: Thinking | None, losses: Losses, *, own: bool) -> None:
    if thinking is None:
        return
    if own:
        body["reasoning"] = thinking.extra
        return
    effort = thinking.effort
    if effort is None and thinking.budget is not None and thinking.budget >= 0:
        budget = thinking.budget
        effort = "none" if budget == 0 else "low" if budget <= 1024 else "medium" if budget <= 8192 else "high"
        losses.approximate("thinking.budget", f"as the effort {effort}")
    reasoning: Json = {} if effort is None else {"effort": effort}
    if thinking.show:
        reasoning["summary"] = "auto"
    if reasoning:
        body["reasoning"] = reasoning


def _write_account(body: Json, request: Request, target: Target, losses: Losses) -> None:
    if request.user:
        first_party = target.provider in ("openai", "azure")
        old = request.dialect == NAME and "user" not in request.extra and not first_party
        body["user" if old else "safety_identifier"] = request.user
    body["prompt_cache_key"] = request.cache_key
    if request.dialect == NAME:
        body |= {"metadata": request.metadata, "service_tier": request.service_tier, "store": request.store}
        body["previous_response_id"] = request.previous_id or None
        return
    body["service_tier"] = request.service_tier if request.service_tier in ("auto", "default") else None
    # Nothing is kept where nobody asked for it, so what was thought has to go with the answer.
    body["store"] = bool(request.store)
    if not request.store:
        body["include"] = [ENCRYPTED] if thinks(target.model) or request.thinking is not None else None
    if request.metadata:
        body["metadata"] = request.metadata if request.store else None
        if not request.store:
            losses.drop("metadata", "kept with stored answers alone")
    if request.logprobs:
        body["include"] = [*(body.get("include") or ()), "message.output_text.logprobs"]


def _fit_sampling(body: Json, target: Target, losses: Losses) -> None:
    effort = body.get("reasoning", {}).get("effort")
    if not thinks(target.model) or (effort == "none" and may_not_think(target.model)):
        return
    for name in SAMPLING:
        if body.get(name) is not None:
            if body[name] != 1:
                losses.drop(name, f"{target.model} does not take it")
            body[name] = None


def _name_losses(request: Request, losses: Losses) -> None:
    for name, meaning in WITHOUT_WORDS.items():
        value = getattr(request, name)
        if value not in (None, (), {}) and not (name == "n" and value == 1):
            losses.drop(name, "the Responses API has none", meaning=meaning)
    if set(request.modalities) - {"text"}:
        losses.drop("modalities", "text alone", meaning=True)
    losses.drop_own(request)
