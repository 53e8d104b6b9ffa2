"""Reads a request to ``/api/chat``."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import EFFORTS, Format, Request, Thinking, Tool
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, parse_fields
from dragoman.dialects.ollama.content import NAME, read_message


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent. It is answered in a stream unless it says otherwise."""
    fields = parse_fields(body)
    options = fields.fields("options") or Fields({}, "options")
    streamed = fields.flag("stream")
    request = Request(
        dialect=NAME,
        model=fields.text("model") or path.model,
        messages=tuple(read_message(message) for message in fields.each("messages")),
        tools=tuple(_read_tool(tool) for tool in fields.each("tools")),
        max_tokens=_limit(options),
        temperature=options.number("temperature"),
        top_p=options.number("top_p"),
        top_k=options.integer("top_k"),
        frequency_penalty=options.number("frequency_penalty"),
        presence_penalty=options.number("presence_penalty"),
        seed=options.integer("seed"),
        stop=options.texts("stop"),
        logprobs=fields.flag("logprobs"),
        top_logprobs=fields.integer("top_logprobs"),
        format=_read_format(fields),
        thinking=_read_thinking(fields),
        stream=True if streamed is None else streamed,
        include_usage=True,
        extra=fields.left | {f"options.{name}": value for name, value in options.left.items()},
    )
    return request


def _limit(options: Fields) -> int | None:
    """How much to answer: none, where the model is to go on until it stops (-1) or its context is full (-2)."""
    limit = options.integer("num_predict")
    return None if limit is None or limit < 0 else limit


def _read_tool(tool: Fields) -> Tool:
    tool.take("type")
    function = tool.required("function", tool.fields("function"))
    name, description = function.text("name"), function.text("description")
    return Tool(name=name, description=description, parameters=function.mapping("parameters"), extra=tool.left)


def _read_format(fields: Fields) -> Format | None:
    form: Any = fields.take("format")
    if form is None or form == "":
        return None
    if type(form) is dict:
        return Format(kind="schema", name="answer", schema=form)
    if form != "json":
        raise fields.unknown("format", form)
    return Format(kind="json")


def _read_thinking(fields: Fields) -> Thinking | None:
    told: Any = fields.take("think")
    if told is None:
        return None
    if type(told) is bool:
        return Thinking(show=True) if told else Thinking(effort="none")
    if told not in EFFORTS:
        raise fields.unknown("think", told)
    return Thinking(effort=told, show=True)
