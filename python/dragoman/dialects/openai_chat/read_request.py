"""Reads a chat request."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import (
    EFFORTS,
    Block,
    Format,
    Json,
    Message,
    Request,
    Role,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
)
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, one_by_one, parse_fields
from dragoman.dialects.lenient import list_of
from dragoman.dialects.openai_chat.content import NAME, cache_mark, read_content
from dragoman.dialects.openai_chat.message import read_assistant

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
MODES = {
    "auto": ToolChoice(mode="auto"),
    "none": ToolChoice(mode="none"),
    "required": ToolChoice(mode="required"),
    "any": ToolChoice(mode="required", extra={"word": "any"}),  # Mistral's
}


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent to ``/chat/completions``."""
    del path  # the body says it all
    fields = parse_fields(body)
    options = fields.fields("stream_options") or Fields({})
    include_usage = options.flag("include_usage")
    limit = fields.integer("max_completion_tokens")
    old_limit = fields.integer("max_tokens")
    request = Request(
        dialect=NAME,
        model=fields.text("model"),
        messages=one_by_one(fields.items("messages"), _read_message, "messages"),
        tools=_read_tools(fields),
        tool_choice=_read_choice(fields),
        parallel_tools=fields.flag("parallel_tool_calls"),
        max_tokens=old_limit if limit is None else limit,
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
        seed=fields.integer("seed"),
        stop=fields.texts("stop"),
        n=fields.integer("n"),
        logprobs=fields.flag("logprobs"),
        top_logprobs=fields.integer("top_logprobs"),
        logit_bias=fields.mapping("logit_bias"),
        format=_read_format(fields),
        verbosity=fields.maybe_text("verbosity"),
        thinking=_read_thinking(fields),
        modalities=fields.texts("modalities"),
        stream=fields.flag("stream") or False,
        include_usage=include_usage or False,
        user=fields.text("safety_identifier") or fields.text("user"),
        metadata=fields.mapping("metadata"),
        service_tier=fields.maybe_text("service_tier"),
        store=fields.flag("store"),
        cache_key=fields.maybe_text("prompt_cache_key"),
        extra=fields.left,
    )
    if options.left:
        fields.left["stream_options"] = options.left
    # Which of two names a field had, for the way back.
    if limit is None and old_limit is not None:
        fields.left["max_tokens"] = old_limit
    return request


def _read_message(message: Fields) -> Message:
    role = message.text("role")
    if role not in ROLES:
        raise message.unknown("role", role)
    name = message.text("name")
    blocks: tuple[Block, ...]
    if role == "assistant":
        blocks = read_assistant(message)
    elif role in ("tool", "function"):
        blocks = (_read_result(message, name, role),)
    else:
        blocks = read_content(message.take("content"), message.path("content"))
    if role == "function":
        message.left["role"] = role
    return Message(role=ROLES[role], blocks=blocks, name=name, extra=message.left)


def _read_result(message: Fields, name: str, role: str) -> ToolResult:
    call_id = message.text("tool_call_id", f"call_{name}" if role == "function" else "")
    content = message.take("content")
    return ToolResult(call_id=call_id, content=read_content(content, message.path("content")), name=name)


def _read_tools(fields: Fields) -> tuple[Tool, ...]:
    tools = [_read_tool(tool) for tool in fields.each("tools")]
    for function in list_of(fields.left, "functions"):
        tools.append(_read_function(Fields(function, "functions"), "functions", {}))
    search = fields.left.get("web_search_options")
    if type(search) is dict:
        tools.append(Tool(name="web_search", kind="server", type="web_search", extra=search))
    return tuple(tools)


def _read_tool(tool: Fields) -> Tool:
    kind = tool.text("type", "function")
    cache = cache_mark(tool)
    if kind == "function" and "function" in tool.left:
        function = tool.required("function", tool.fields("function"))
        return _read_function(function, "", tool.left, cache)
    if kind == "custom" and "custom" in tool.left:
        custom = tool.required("custom", tool.fields("custom"))
        name, description = custom.text("name"), custom.text("description")
        tool.left["custom"] = custom.left
        return Tool(name=name, description=description, kind="custom", cache=cache, extra=tool.left)
    if "name" in tool.left and ("input_schema" in tool.left or "parameters" in tool.left):
        # Some clients send tools in the shape of another dialect, after the model's name.
        schema = tool.mapping("input_schema") or tool.mapping("parameters")
        description = tool.text("description")
        return Tool(
            name=tool.text("name"), description=description, parameters=schema, strict=tool.flag("strict"), cache=cache
        )
    return Tool(name=tool.text("name"), kind="server", type=kind, extra=tool.left)


def _read_function(function: Fields, kind: str, extra: Json, cache: str | None = None) -> Tool:
    name = function.text("name")
    description = function.text("description") if function.left.get("description") != "" else ""
    parameters, strict = function.mapping("parameters"), function.flag("strict")
    if function.left:
        extra = {**extra, "function": function.left}
    return Tool(
        name=name, description=description, parameters=parameters, strict=strict, type=kind, cache=cache, extra=extra
    )


def _read_choice(fields: Fields) -> ToolChoice | None:
    choice = fields.take("tool_choice")
    if choice is None:
        return _read_old_choice(fields.left.get("function_call"))
    if type(choice) is str:
        if choice not in MODES:
            raise fields.unknown("tool_choice", choice)
        return MODES[choice]
    one = Fields(choice, "tool_choice")
    kind = one.text("type")
    if kind == "allowed_tools":
        allowed = one.required("allowed_tools", one.fields("allowed_tools"))
        names = tuple(_name_in(tool) for tool in allowed.each("tools"))
        return ToolChoice(mode="allowed", names=names, required=allowed.text("mode") == "required", extra=choice)
    if not kind and "function" in one.left:
        kind = "function"
    if kind in ("function", "custom"):
        inner = one.fields(kind) or one
        return ToolChoice(mode="named", names=(inner.text("name"),), extra={"type": kind} if kind == "custom" else {})
    raise one.unknown("type", kind)


def _name_in(tool: Fields) -> str:
    inner = tool.fields("function") or tool.fields("custom") or tool
    return inner.text("name")


def _read_old_choice(choice: Any) -> ToolChoice | None:
    if choice in ("auto", "none"):
        return ToolChoice(mode=choice, extra={"function_call": True})
    if type(choice) is dict and type(choice.get("name")) is str:
        return ToolChoice(mode="named", names=(choice["name"],), extra={"function_call": True})
    return None


def _read_format(fields: Fields) -> Format | None:
    form = fields.fields("response_format")
    if form is None:
        return None
    kind = form.text("type")
    if kind == "text":
        return Format(kind="text", extra=form.left)
    if kind == "json_object":
        return Format(kind="json", extra=form.left)
    if kind == "json_schema":
        schema = form.required("json_schema", form.fields("json_schema"))
        return Format(
            kind="schema",
            name=schema.text("name"),
            schema=schema.mapping("schema"),
            strict=schema.flag("strict"),
            description=schema.text("description"),
            extra=schema.left,
        )
    raise form.unknown("type", kind)


def _read_thinking(fields: Fields) -> Thinking | None:
    """``reasoning_effort``, or what hosts that show their reasoning have beside it; the latter also remains."""
    effort = fields.maybe_text("reasoning_effort")
    if effort is not None:
        if effort not in EFFORTS:  # a word of the host's own
            fields.left["reasoning_effort"] = effort
            return None
        return Thinking(effort=effort)
    reasoning = fields.left.get("reasoning")
    if type(reasoning) is dict:
        told, budget = reasoning.get("effort"), reasoning.get("max_tokens")
        effort = told if told in EFFORTS else "none" if reasoning.get("enabled") is False else None
        excluded = reasoning.get("exclude") is True
        return Thinking(
            effort=effort, budget=budget if type(budget) is int else None, show=not excluded, extra=reasoning
        )
    thinking = fields.left.get("thinking")
    if type(thinking) is dict:
        budget = thinking.get("budget_tokens")
        if thinking.get("type") == "disabled":
            return Thinking(effort="none", extra=thinking)
        return Thinking(budget=budget if type(budget) is int else None, show=True, extra=thinking)
    return None
