"""Reads a request to ``/v2/chat``."""

from __future__ import annotations

from dragoman.dialects.canonical import Format, Request, Thinking, Tool, ToolChoice
from dragoman.dialects.cohere.content import NAME, read_message
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, parse_fields


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent."""
    fields = parse_fields(body)
    return Request(
        dialect=NAME,
        model=fields.text("model") or path.model,
        messages=tuple(read_message(message) for message in fields.each("messages")),
        tools=tuple(_read_tool(tool) for tool in fields.each("tools")),
        tool_choice=_read_choice(fields),
        max_tokens=fields.integer("max_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("p"),
        top_k=fields.integer("k"),
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
        seed=fields.integer("seed"),
        stop=fields.texts("stop_sequences"),
        logprobs=fields.flag("logprobs"),
        format=_read_format(fields),
        thinking=_read_thinking(fields),
        stream=fields.flag("stream") or False,
        include_usage=True,
        extra=fields.left,
    )


def _read_tool(tool: Fields) -> Tool:
    tool.take("type")
    function = tool.required("function", tool.fields("function"))
    name, description = function.text("name"), function.text("description")
    return Tool(name=name, description=description, parameters=function.mapping("parameters"), extra=tool.left)


def _read_choice(fields: Fields) -> ToolChoice | None:
    choice = fields.maybe_text("tool_choice")
    if choice is None:
        return None
    if choice not in ("REQUIRED", "NONE"):
        raise fields.unknown("tool_choice", choice)
    return ToolChoice(mode="required" if choice == "REQUIRED" else "none")


def _read_format(fields: Fields) -> Format | None:
    form = fields.fields("response_format")
    if form is None:
        return None
    kind = form.text("type", "text")
    if kind == "text":
        return Format(kind="text")
    if kind != "json_object":
        raise form.unknown("type", kind)
    for name in ("json_schema", "schema"):
        if name in form.left:
            return Format(kind="schema", name="answer", schema=form.mapping(name), extra={"_name": name})
    return Format(kind="json")


def _read_thinking(fields: Fields) -> Thinking | None:
    told = fields.fields("thinking")
    if told is None:
        return None
    if told.text("type") == "disabled":
        return Thinking(effort="none", extra=told.left)
    return Thinking(budget=told.integer("token_budget"), show=True, extra=told.left)
