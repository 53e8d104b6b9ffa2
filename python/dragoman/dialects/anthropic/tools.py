"""Tools, and which of them are to be called."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.anthropic.blocks import NAME, marked
from dragoman.dialects.anthropic.models import Claude
from dragoman.dialects.canonical import Json, Request, Tool, ToolCall, ToolResult
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.lenient import list_of
from dragoman.dialects.losses import Losses
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo

# The tool whose arguments are the answer, for models that have no answer by schema.
ANSWER_TOOL = "json"
# The provider's own tools that it has a word for.
SERVER_TOOLS: dict[str, Json] = {
    "web_search": {"type": "web_search_20250305", "name": "web_search"},
    "web_fetch": {"type": "web_fetch_20250910", "name": "web_fetch"},
    "code_execution": {"type": "code_execution_20250825", "name": "code_execution"},
}
# A schema of any of these at its root is refused.
ROOT_WORDS = ("anyOf", "oneOf", "allOf")


def write_tools(body: Json, request: Request, facts: Claude | None, losses: Losses) -> Undo:
    """Write the tools; what is to be undone of them in the answer."""
    if request.dialect == NAME:
        if request.tools:
            body["tools"] = [_own_tool(tool) for tool in request.tools]
        return Undo()
    tools: list[Json] = []
    renamed: dict[str, str] = {}
    choice = request.tool_choice
    allowed = set(choice.names) if choice is not None and choice.mode == "allowed" else None
    for index, tool in enumerate(request.tools):
        if allowed is not None and tool.name not in allowed:
            continue
        if tool.kind == "server":
            _add_server_tool(tools, tool, f"tools[{index}]", losses)
            continue
        name = fitted_name(tool.name)
        if name != tool.name:
            renamed[name] = tool.name
        tools.append(_write_tool(tool, name))
    custom = frozenset(tool.name for tool in request.tools if tool.kind == "custom")
    answer_tool = _answer_tool(body, request, facts, tools)
    if not tools and _mentions_tools(request):
        tools = stubs(request)
    if tools:
        body["tools"] = tools
    return Undo(renamed=renamed, custom=custom, answer_tool=answer_tool)


def _own_tool(tool: Tool) -> Json:
    if tool.kind == "server":
        return marked({"name": tool.name, **tool.extra}, tool.cache)
    written: Json = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    return marked({name: value for name, value in {**written, **tool.extra}.items() if value is not None}, tool.cache)


def _write_tool(tool: Tool, name: str) -> Json:
    schema = CUSTOM_SCHEMA if tool.kind == "custom" else object_schema(tool.parameters)
    written: Json = {"name": name, "input_schema": schema}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return marked(written, tool.cache)


def object_schema(schema: Json | None) -> Json:
    """Parameters as the dialect takes them: an object at the root, and no choice there (edge case 49)."""
    if not schema:
        return {"type": "object", "properties": {}}
    if not any(word in schema for word in ROOT_WORDS):
        return schema if schema.get("type") == "object" else {**schema, "type": "object"}
    merged: Json = {name: value for name, value in schema.items() if name not in ROOT_WORDS}
    properties: dict[str, Any] = {}
    for option in [schema, *(option for word in ROOT_WORDS for option in list_of(schema, word))]:
        if isinstance(option, dict) and isinstance(option.get("properties"), dict):
            properties |= option["properties"]
    return {**merged, "type": "object", "properties": properties}


def _add_server_tool(tools: list[Json], tool: Tool, at: str, losses: Losses) -> None:
    known = SERVER_TOOLS.get(tool.type)
    if known is None:
        losses.drop(at, f"the provider's own tool {tool.type}")
        return
    losses.approximate(at, f"as {known['type']}")
    tools.append(dict(known))


def _answer_tool(body: Json, request: Request, facts: Claude | None, tools: list[Json]) -> str:
    """Add the tool that an answer by schema is given with; empty where none is needed."""
    form = request.format
    if form is None or form.kind != "schema" or facts is None or facts.native_schema:
        return ""
    if tools or not facts.forced_tools:
        body["_instruct"] = True  # to force one tool would forbid the others
        return ""
    described = form.description or "Give the answer."
    tools.append({"name": ANSWER_TOOL, "description": described, "input_schema": object_schema(form.schema)})
    return ANSWER_TOOL


def _mentions_tools(request: Request) -> bool:
    return any(isinstance(block, ToolCall | ToolResult) for message in request.messages for block in message.blocks)


def stubs(request: Request) -> list[Json]:
    """Tools for calls in the history whose tools are not among the request's (edge case 14)."""
    calls = [block for message in request.messages for block in message.blocks if isinstance(block, ToolCall)]
    names = dict.fromkeys(fitted_name(call.name or "tool") for call in calls)
    return [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names or ["tool"]]


def write_choice(body: Json, request: Request, undo: Undo, facts: Claude | None, losses: Losses) -> None:
    """Write ``tool_choice``."""
    choice = request.tool_choice
    if undo.answer_tool:
        body["tool_choice"] = {"type": "tool", "name": undo.answer_tool}
        return
    written: Json | None = None
    if choice is not None:
        written = _choice(choice.mode, choice.names, undo, required=choice.required)
        if request.dialect == NAME:
            written |= choice.extra
    own = request.dialect == NAME
    if own and choice is not None and request.parallel_tools is not None:
        body["tool_choice"] = {**(written or {}), "disable_parallel_tool_use": not request.parallel_tools}
        return
    if not own and "tools" not in body:
        return
    if not own and request.parallel_tools is False and (written is None or written["type"] != "none"):
        written = {**(written or {"type": "auto"}), "disable_parallel_tool_use": True}
    if facts is not None and not facts.forced_tools and written is not None and written["type"] in ("any", "tool"):
        losses.approximate("tool_choice", "the model takes no forced tool", meaning=True)
        written = {name: value for name, value in {**written, "type": "auto"}.items() if name != "name"}
    if written is not None:
        body["tool_choice"] = written


def _choice(mode: str, names: tuple[str, ...], undo: Undo, *, required: bool) -> Json:
    if mode == "named" and names:
        sent = next((sent for sent, name in undo.renamed.items() if name == names[0]), names[0])
        return {"type": "tool", "name": sent}
    if mode == "required" or (mode == "allowed" and required):
        return {"type": "any"}
    return {"type": "none" if mode == "none" else "auto"}
