"""Tools and the choice among them.

One object of Google's ``tools`` may hold declarations of functions and several tools of the provider's; each becomes a
tool of its own here, so that other dialects see them one by one.
"""

from __future__ import annotations

from dragoman.dialects.canonical import Tool, ToolChoice
from dragoman.dialects.fields import Fields
from dragoman.dialects.gemini.names import fields_of, inner, listed
from dragoman.dialects.gemini.schema import from_openapi

# The provider's own tools by what they do.
SERVER_TOOLS = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "enterpriseWebSearch": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
    "fileSearch": "file_search",
    "computerUse": "computer_use",
    "googleMaps": "google_maps",
    "mcpServers": "mcp",
}
MODES = frozenset({"AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"})


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """All tools, in their order."""
    tools: list[Tool] = []
    for index, value in enumerate(listed(fields, "tools")):
        at = f"tools[{index}]"
        group = fields_of(value, at)
        for number, declaration in enumerate(listed(group, "functionDeclarations")):
            tools.append(_read_function(fields_of(declaration, f"{at}.functionDeclarations[{number}]")))
        for name, item in group.left.items():
            if item is not None:
                kind = SERVER_TOOLS.get(name, name)
                tools.append(Tool(name=kind, kind="server", type=kind, extra={name: item}))
    return tuple(tools)


def _read_function(function: Fields) -> Tool:
    name = function.text("name")
    description = function.text("description") if function.left.get("description") != "" else ""
    parameters = function.mapping("parametersJsonSchema")
    extra = function.left
    if parameters is None and function.left.get("parameters") is not None:
        original = function.mapping("parameters")
        parameters = from_openapi(original)
    return Tool(name=name, description=description, parameters=parameters, extra=extra)


def read_choice(config: Fields | None) -> ToolChoice | None:
    """``functionCallingConfig``."""
    calling = inner(config, "functionCallingConfig") if config is not None else None
    if calling is None:
        return None
    word = calling.text("mode")
    names = calling.texts("allowedFunctionNames")
    mode = word.upper() or "MODE_UNSPECIFIED"
    if mode not in MODES:
        raise calling.unknown("mode", word)
    extra = calling.left
    extra["mode"] = word or None
    if mode == "NONE":
        return ToolChoice(mode="none", names=names, extra=extra)
    if mode == "ANY":
        if len(names) == 1:
            return ToolChoice(mode="named", names=names, extra=extra)
        return ToolChoice(mode="allowed" if names else "required", names=names, required=bool(names), extra=extra)
    return ToolChoice(mode="allowed" if names else "auto", names=names, extra=extra)
