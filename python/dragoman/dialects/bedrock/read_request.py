"""Reads a Converse request. Its model is in the path."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.bedrock.blocks import NAME, read_blocks
from dragoman.dialects.canonical import Format, Json, Message, Request, Role, Thinking, Tool, ToolChoice
from dragoman.dialects.continuity import reunited
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, Unreadable, parse, parse_fields
from dragoman.dialects.lenient import text_of

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
# Kept as they are, beside being read.
WHOLE = ("toolConfig", "inferenceConfig", "additionalModelRequestFields", "outputConfig")


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent to ``/model/.../converse`` or ``converse-stream``."""
    fields = parse_fields(body)
    whole = {f"_{name}": fields.left[name] for name in WHOLE if fields.left.get(name) is not None}
    top = read_blocks(fields.take("system"), "system")
    messages = [Message(role="system", blocks=top, top=True)] if top else []
    messages += [_read_message(message, path.model) for message in fields.each("messages")]
    config = fields.fields("inferenceConfig") or Fields({})
    more = fields.fields("additionalModelRequestFields") or Fields({})
    output = fields.fields("outputConfig") or Fields({})
    tools, choice = _read_tools(fields)
    metadata = fields.mapping("requestMetadata")
    tier = fields.fields("serviceTier") or Fields({})
    request = Request(
        dialect=NAME,
        model=path.model,
        messages=reunited(messages),
        tools=tools,
        tool_choice=choice,
        max_tokens=config.integer("maxTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=more.integer("top_k"),
        stop=config.texts("stopSequences"),
        format=_read_format(output),
        thinking=_read_thinking(more, output),
        stream=path.stream or False,
        include_usage=True,
        metadata=metadata,
        service_tier=tier.maybe_text("type"),
        extra=fields.left,
    )
    for name in more.left:
        fields.left[f"additionalModelRequestFields.{name}"] = True
    fields.left |= whole
    return request


def _read_message(message: Fields, model: str) -> Message:
    role = message.text("role")
    if role not in ROLES:
        raise message.unknown("role", role)
    content = message.take("content")
    blocks = read_blocks(content, message.path("content"), model if role == "assistant" else "")
    return Message(role=ROLES[role], blocks=blocks, extra=message.left)


def _read_tools(fields: Fields) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    config = fields.fields("toolConfig")
    if config is None:
        return (), None
    tools: list[Tool] = []
    for tool in config.each("tools"):
        spec = tool.fields("toolSpec")
        if spec is None:
            kind = next(iter(tool.left), "")
            inner: Any = tool.left.get(kind)
            if kind == "systemTool" and type(inner) is dict:
                name = text_of(inner, "name")
                known = "web_search" if "grounding" in name else "code_execution" if "code" in name else name
                tools.append(Tool(name=name, kind="server", type=known, extra=inner))
            continue
        schema = spec.fields("inputSchema") or Fields({})
        tools.append(
            Tool(
                name=spec.text("name"),
                description=spec.text("description"),
                parameters=schema.mapping("json"),
                strict=spec.flag("strict"),
            )
        )
    return tuple(tools), _read_choice(config)


def _read_choice(config: Fields) -> ToolChoice | None:
    choice = config.mapping("toolChoice")
    if choice is None:
        return None
    if "any" in choice:
        return ToolChoice(mode="required")
    named: Any = choice.get("tool")
    if type(named) is dict:
        return ToolChoice(mode="named", names=(text_of(named, "name"),))
    return ToolChoice(mode="auto")


def _read_format(output: Fields) -> Format | None:
    form = output.fields("textFormat")
    if form is None or form.text("type") != "json_schema":
        return None
    structure = form.fields("structure") or Fields({})
    told = structure.fields("jsonSchema")
    if told is None:
        return None
    text = told.text("schema")
    schema = parse(text)
    if type(schema) is not dict:
        raise Unreadable("The schema is not an object.", told.path("schema"))
    return Format(kind="schema", name=told.text("name"), schema=schema, description=told.text("description"))


def _read_thinking(more: Fields, output: Fields) -> Thinking | None:
    """What is asked of Claude in its own words, of others in theirs."""
    effort: Any = output.take("effort") or more.take("reasoning_effort")
    told: Any = more.take("thinking") or more.take("reasoning_config")
    thinking: Json | None = told if type(told) is dict else None
    if thinking is None:
        return None if type(effort) is not str else Thinking(effort=effort)
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "disabled":
        return Thinking(effort="none")
    known = effort if type(effort) is str else None
    return Thinking(effort=known, budget=budget if type(budget) is int else None, show=True)
