"""Writes a request to ``/v2/chat``."""

from __future__ import annotations

import msgspec

from dragoman.dialects.canonical import (
    Block,
    Json,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.cohere.content import NAME, PLAN, own_message, write_assistant, write_part
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import in_turns
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo, as_function

PATH = "/chat"
STOPS = 5
# Efforts as tokens to think.
BUDGETS = {"minimal": 512, "low": 1024, "medium": 4096, "high": 8192, "xhigh": 16384, "max": 31000}
NONE = ("n", "parallel_tools", "top_logprobs", "logit_bias", "verbosity", "metadata", "cache_key", "user")
MEANING = frozenset({"n"})
RANGES = {"frequency_penalty": (0, 1), "presence_penalty": (0, 1), "p": (0.01, 0.99), "k": (0, 500)}
# As OpenAI's chat calls them.
ELSEWHERE = {"parallel_tools": "parallel_tool_calls", "p": "top_p", "k": "top_k"}


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as the target gets it."""
    own = request.dialect == NAME
    renamed = {} if own else {sent: t.name for t in request.tools if (sent := fitted_name(t.name)) != t.name and t.name}
    custom = frozenset(tool.name for tool in request.tools if tool.kind == "custom")
    undo = Undo(renamed=renamed, custom=custom)
    messages = [own_message(message) for message in request.messages] if own else _messages(request, undo, losses)
    body: Json = {"model": target.model, "messages": messages}
    _write_tools(body, request, undo, losses)
    body.update(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        p=request.top_p,
        k=request.top_k,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        seed=request.seed,
        stop_sequences=list(request.stop) or None,
        logprobs=request.logprobs,
        response_format=_format(request),
        stream=request.stream or None,
    )
    if request.thinking is not None:
        body["thinking"] = _thinking(request.thinking, losses)
    if own:
        body |= request.extra
    else:
        _fit(body, request, losses)
    body = {name: value for name, value in body.items() if value is not None}
    return Outgoing(path=PATH, body=msgspec.json.encode(body), undo=undo)


def _messages(request: Request, undo: Undo, losses: Losses) -> list[Json]:
    """The messages of a request of another dialect."""
    system, turns = in_turns(request.messages)
    written: list[Json] = []
    if system:
        written.append({"role": "system", "content": _joined(system)})
    sent = {name: as_sent for as_sent, name in undo.renamed.items()}
    for index, turn in enumerate(turns):
        at = f"messages[{index}]"
        for block in turn.blocks:
            if isinstance(block, ToolResult):
                written.append(_result(block, f"{at}.tool_result", losses))
        said = [_sendable(block, sent, undo) for block in turn.blocks if not isinstance(block, ToolResult)]
        if turn.role == "assistant":
            written.append(_assistant(said, losses))
        elif parts := _parts(said, at, losses):
            written.append({"role": "user", "content": parts})
    return written


def _sendable(block: Block, sent: dict[str, str], undo: Undo) -> Block:
    if not isinstance(block, ToolCall):
        return block
    arguments = as_function(block.arguments) if block.name in undo.custom else block.arguments or "{}"
    return ToolCall(id=block.id, name=sent.get(block.name, block.name), arguments=arguments)


def _assistant(blocks: list[Block], losses: Losses) -> Json:
    called = any(isinstance(block, ToolCall) for block in blocks)
    kept: list[Block] = []
    for block in blocks:
        if isinstance(block, Reasoning):
            if block.text or block.proof is not None:
                losses.drop("reasoning", "not this model's own")
        elif isinstance(block, Text | Refusal):
            kept.append(Text(text=block.text, extra={PLAN: True} if called else {}))
        elif isinstance(block, ToolCall):
            kept.append(block)
        else:
            losses.drop("messages.content", "an assistant's message has text and calls")
    return write_assistant(kept)


def _parts(blocks: list[Block], at: str, losses: Losses) -> list[Json]:
    parts = []
    for block in blocks:
        if getattr(block, "cache", None) is not None:
            losses.drop("cache_control", "the provider caches by itself")
        bare = msgspec.structs.replace(block, extra={}) if not isinstance(block, Opaque) else block
        part = write_part(bare)
        if part is None:
            losses.drop(at, f"a block of type {type(block).__name__.lower()}")
        else:
            parts.append(part)
    return parts


def _result(block: ToolResult, at: str, losses: Losses) -> Json:
    texts = [part.text for part in block.content if isinstance(part, Text)]
    if len(texts) < len(block.content):
        losses.drop(at, "a result is text")
    said = "".join(texts) or "(empty)"
    if block.is_error:
        said = f"Error: {said}"
    return {"role": "tool", "tool_call_id": block.call_id, "content": said}


def _joined(blocks: list[Block]) -> str:
    return "\n\n".join(block.text for block in blocks if isinstance(block, Text))


def _write_tools(body: Json, request: Request, undo: Undo, losses: Losses) -> None:
    own = request.dialect == NAME
    names = {name: sent for sent, name in undo.renamed.items()}
    choice = request.tool_choice
    tools = [tool for tool in request.tools if tool.kind != "server"]
    if len(tools) < len(request.tools):
        losses.drop("tools", "tools of a provider's own")
    if choice is not None and choice.mode in ("named", "allowed"):
        wanted = [tool for tool in tools if tool.name in choice.names]
        losses.approximate("tool_choice", "no other tool is told")
        tools = wanted or tools
    if tools:
        body["tools"] = [_tool(tool, names.get(tool.name, tool.name), own=own) for tool in tools]
    if choice is not None and tools and choice.mode != "auto":
        forced = choice.mode in ("required", "named") or choice.required
        body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED" if forced else None


def _tool(tool: Tool, name: str, *, own: bool) -> Json:
    parameters = CUSTOM_SCHEMA if tool.kind == "custom" else tool.parameters
    described = {"description": tool.description} if tool.description else {}
    schema = {} if parameters is None and own else {"parameters": parameters or {"type": "object", "properties": {}}}
    return {"type": "function", "function": {"name": name, **described, **schema}, **(tool.extra if own else {})}


def _format(request: Request) -> Json | None:
    form = request.format
    if form is None:
        return None
    if form.kind == "text":
        return {"type": "text"} if request.dialect == NAME else None
    schema = {} if form.schema is None else {form.extra.get("_name", "json_schema"): form.schema}
    return {"type": "json_object", **schema}


def _thinking(thinking: Thinking, losses: Losses) -> Json | None:
    if thinking.effort == "none" or thinking.budget == 0:
        return {"type": "disabled"}
    budget = thinking.budget
    if budget is None and thinking.effort is not None:
        budget = BUDGETS.get(thinking.effort)
        losses.approximate("reasoning_effort", f"as a budget of {budget} tokens")
    counted = {"token_budget": budget} if budget is not None and budget > 0 else {}
    return {"type": "enabled", **counted, **thinking.extra} if thinking.show or counted else None


def _fit(body: Json, request: Request, losses: Losses) -> None:
    """What the dialect does not take of another's requests."""
    for name in NONE:
        value = getattr(request, name)
        if value not in (None, (), {}, "", True) and not (name == "n" and value == 1):
            losses.drop(ELSEWHERE.get(name, name), "Cohere has none", meaning=name in MEANING)
    for name, (least, most) in RANGES.items():
        value = body.get(name)
        if value is not None and not least <= value <= most:
            body[name] = max(least, min(most, value))
            losses.approximate(ELSEWHERE.get(name, name), f"from {least} to {most}")
    if len(request.stop) > STOPS:
        body["stop_sequences"] = list(request.stop[:STOPS])
        losses.approximate("stop", f"at most {STOPS}")
    if set(request.modalities) - {"text"}:
        losses.drop("modalities", "text alone", meaning=True)
    losses.drop_own(request)
