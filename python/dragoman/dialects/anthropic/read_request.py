"""Reads a Messages request, and one to count its tokens."""

from __future__ import annotations

from dragoman.dialects.anthropic.blocks import NAME, cache_mark, read_content
from dragoman.dialects.canonical import Format, Message, Request, Role, Thinking, Tool, ToolChoice
from dragoman.dialects.continuity import reunited
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, parse_fields

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
# Headers that are part of the request; kept under this name, and never written into a body.
HEADERS = "_headers"
KEPT_HEADERS = ("anthropic-version", "anthropic-beta")
# What the provider's own tools are called elsewhere, by how their type begins.
SERVER_TOOLS = {
    "web_search": "web_search",
    "web_fetch": "web_fetch",
    "code_execution": "code_execution",
    "computer": "computer",
    "bash": "bash",
    "text_editor": "text_editor",
    "memory": "memory",
    "tool_search": "tool_search",
}


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent to ``/v1/messages``."""
    fields = parse_fields(body)
    model = path.model or fields.text("model")
    top = read_content(fields.take("system"), "system")
    messages = [Message(role="system", blocks=top, top=True)] if top else []
    messages += [_read_message(message, model) for message in fields.each("messages")]
    output = fields.fields("output_config") or Fields({})
    effort = output.maybe_text("effort")
    choice = fields.fields("tool_choice")
    parallel = None if choice is None else choice.flag("disable_parallel_tool_use")
    metadata = fields.fields("metadata") or Fields({})
    request = Request(
        dialect=NAME,
        model=model,
        messages=reunited(messages),
        tools=tuple(_read_tool(tool) for tool in fields.each("tools")),
        tool_choice=None if choice is None else _read_choice(choice),
        parallel_tools=None if parallel is None else not parallel,
        max_tokens=fields.integer("max_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        stop=fields.texts("stop_sequences"),
        format=_read_format(output),
        thinking=_read_thinking(fields, effort),
        stream=(fields.flag("stream") or False) if path.stream is None else path.stream,
        include_usage=True,
        user=metadata.text("user_id"),
        service_tier=fields.maybe_text("service_tier"),
        extra=fields.left,
    )
    for name, rest in (("metadata", metadata.left), ("output_config", output.left)):
        if rest:
            fields.left[name] = rest
    kept = {name: path.headers[name] for name in KEPT_HEADERS if name in path.headers}
    if kept:
        fields.left[HEADERS] = kept
    return request


def _read_message(message: Fields, model: str) -> Message:
    role = message.text("role")
    if role not in ROLES:
        raise message.unknown("role", role)
    blocks = read_content(message.take("content"), message.path("content"), model if role == "assistant" else "")
    return Message(role=ROLES[role], blocks=blocks, extra=message.left)


def _read_tool(tool: Fields) -> Tool:
    kind = tool.text("type")
    cache = cache_mark(tool)
    if kind and kind != "custom":
        named = next((word for start, word in SERVER_TOOLS.items() if kind.startswith(start)), kind)
        return Tool(name=tool.text("name"), kind="server", type=named, cache=cache, extra={"type": kind, **tool.left})
    if kind:
        tool.left["type"] = kind
    described = tool.maybe_text("description")
    if described == "":
        tool.left["description"] = ""
    return Tool(
        name=tool.text("name"),
        description=described or "",
        parameters=tool.mapping("input_schema"),
        strict=tool.flag("strict"),
        cache=cache,
        extra=tool.left,
    )


def _read_choice(choice: Fields) -> ToolChoice:
    kind = choice.text("type")
    if kind == "tool":
        return ToolChoice(mode="named", names=(choice.text("name"),), extra=choice.left)
    if kind in ("auto", "none"):
        return ToolChoice(mode="auto" if kind == "auto" else "none", extra=choice.left)
    if kind == "any":
        return ToolChoice(mode="required", extra=choice.left)
    raise choice.unknown("type", kind)


def _read_format(output: Fields) -> Format | None:
    form = output.fields("format")
    if form is None:
        return None
    kind = form.text("type")
    if kind != "json_schema":
        raise form.unknown("type", kind)
    return Format(kind="schema", schema=form.mapping("schema"), extra=form.left)


def _read_thinking(fields: Fields, effort: str | None) -> Thinking | None:
    thinking = fields.fields("thinking")
    if thinking is None:
        return None if effort is None else Thinking(effort=effort, extra={"_effort": True})
    raw = thinking.left.copy()
    kind = thinking.text("type")
    if kind == "disabled":
        return Thinking(effort="none", extra={"thinking": raw, "effort": effort})
    if kind not in ("enabled", "adaptive", "between_tools"):
        raise thinking.unknown("type", kind)
    show = thinking.text("display", "summarized") != "omitted"
    return Thinking(
        effort=effort, budget=thinking.integer("budget_tokens"), show=show, extra={"thinking": raw, "effort": effort}
    )
