"""Writes a request to ``/api/chat``."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Block,
    Image,
    Json,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.ollama.content import NAME, write_message
from dragoman.dialects.turns import in_turns, names_of_calls
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo, as_function

PATH = "/chat"
# What the dialect has no word for; what is left out by ``tool_choice`` depends on its mode.
NONE = ("n", "logprobs", "top_logprobs", "parallel_tools", "logit_bias", "verbosity", "metadata", "cache_key", "user")
MEANING = frozenset({"n"})
NAMED = {"parallel_tools": "parallel_tool_calls"}
LEVELS = ("low", "medium", "high")


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as the target gets it."""
    own = request.dialect == NAME
    undo = Undo(custom=frozenset(tool.name for tool in request.tools if tool.kind == "custom"))
    messages = _own_messages(request) if own else _messages(request, undo, losses)
    options = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    body: Json = {
        "model": target.model,
        "messages": messages,
        "stream": request.stream,
        "tools": _tools(request, losses) or None,
        "format": _format(request),
        "think": None if request.thinking is None else _think(request.thinking, losses, own=own),
    }
    if own:
        body |= {"logprobs": request.logprobs, "top_logprobs": request.top_logprobs}
        body |= {name: value for name, value in request.extra.items() if not name.startswith("options.")}
        options |= {name[8:]: value for name, value in request.extra.items() if name.startswith("options.")}
    else:
        _fit(request, losses)
    body["options"] = {name: value for name, value in options.items() if value is not None} or None
    body = {name: value for name, value in body.items() if value is not None}
    return Outgoing(path=PATH, body=msgspec.json.encode(body), undo=undo)


def _own_messages(request: Request) -> list[Json]:
    written = []
    for message in request.messages:
        first = message.blocks[0] if message.blocks else None
        if isinstance(first, ToolResult):
            told = _result(first, first.name) | ({"tool_call_id": first.call_id} if first.call_id else {})
        else:
            told = write_message(message.role, list(message.blocks))
        written.append(told | message.extra)
    return written


def _messages(request: Request, undo: Undo, losses: Losses) -> list[Json]:
    """The messages of a request of another dialect."""
    system, turns = in_turns(request.messages)
    names = names_of_calls([message for message in request.messages if message.role == "assistant"])
    written: list[Json] = []
    if system:
        written.append({"role": "system", "content": _joined(system)})
    for index, turn in enumerate(turns):
        at = f"messages[{index}]"
        for block in turn.blocks:
            if isinstance(block, ToolResult):
                if len([part for part in block.content if isinstance(part, Text)]) < len(block.content):
                    losses.drop(f"{at}.tool_result", "a result is text")
                written.append(_result(block, block.name or names.get(block.call_id, "")))
        said = [told for block in turn.blocks if (told := _sendable(block, at, undo, losses)) is not None]
        if said or turn.role == "assistant":
            written.append(write_message(turn.role, said))
    return written


def _sendable(block: Block, at: str, undo: Undo, losses: Losses) -> Block | None:
    """A block as the dialect has it; ``None`` where it has none such, or stands elsewhere."""
    if getattr(block, "cache", None) is not None:
        losses.drop("cache_control", "the provider caches by itself")
    if isinstance(block, Text | Refusal):
        return Text(text=block.text)
    if isinstance(block, ToolCall):
        arguments = as_function(block.arguments) if block.name in undo.custom else block.arguments or "{}"
        return ToolCall(id="", name=block.name, arguments=arguments)
    if isinstance(block, Reasoning):
        if block.proof is not None:
            losses.drop("reasoning", "not this model's own")
        return Reasoning(text=block.text) if block.text and block.proof is None else None
    if isinstance(block, Image) and block.source.data:
        return block
    if not isinstance(block, ToolResult):
        losses.drop(f"{at}.content", f"a block of type {type(block).__name__.lower()}")
    return None


def _result(block: ToolResult, name: str) -> Json:
    said = "".join(part.text for part in block.content if isinstance(part, Text))
    told = f"Error: {said}" if block.is_error else said
    return {"role": "tool", "content": told} | ({"tool_name": name} if name else {})


def _joined(blocks: list[Block]) -> str:
    return "\n\n".join(block.text for block in blocks if isinstance(block, Text))


def _tools(request: Request, losses: Losses) -> list[Json]:
    tools = [tool for tool in request.tools if tool.kind != "server"]
    if len(tools) < len(request.tools):
        losses.drop("tools", "tools of a provider's own")
    choice = request.tool_choice
    if choice is None or choice.mode == "auto":
        chosen = tools
    elif choice.mode == "none":
        chosen = []
    else:
        losses.approximate("tool_choice", "no tool can be made to be called")
        chosen = [tool for tool in tools if not choice.names or tool.name in choice.names] or tools
    return [_tool(tool, own=request.dialect == NAME) for tool in chosen]


def _tool(tool: Tool, *, own: bool) -> Json:
    parameters = CUSTOM_SCHEMA if tool.kind == "custom" else tool.parameters
    function: Json = {"name": tool.name, "description": tool.description or None}
    function["parameters"] = parameters if own else parameters or {"type": "object", "properties": {}}
    told = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": told, **(tool.extra if own else {})}


def _format(request: Request) -> Any:
    form = request.format
    if form is None or form.kind == "text":
        return None
    return form.schema if form.kind == "schema" and form.schema is not None else "json"


def _think(thinking: Thinking, losses: Losses, *, own: bool) -> bool | str | None:
    effort = thinking.effort
    if effort == "none" or thinking.budget == 0:
        return False
    if effort is None:
        if thinking.budget:
            losses.approximate("thinking", "no budget can be set")
        return True if thinking.show or thinking.budget else None
    if own or effort in LEVELS:
        return effort
    losses.approximate("reasoning_effort", f"one of {', '.join(LEVELS)}")
    return "low" if effort == "minimal" else "high"


def _fit(request: Request, losses: Losses) -> None:
    """What the dialect does not take of another's requests."""
    for name in NONE:
        value = getattr(request, name)
        if value not in (None, (), {}, "", True) and not (name == "n" and value == 1):
            losses.drop(NAMED.get(name, name), "Ollama has none", meaning=name in MEANING)
    if set(request.modalities) - {"text"}:
        losses.drop("modalities", "text alone", meaning=True)
    losses.drop_own(request)
