"""Reads a request of the Responses API."""

from __future__ import annotations

from dragoman.dialects.canonical import EFFORTS, Format, Json, Message, Request, Text, Thinking, Tool, ToolChoice
from dragoman.dialects.continuity import reunited
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, one_by_one, parse_fields
from dragoman.dialects.lenient import list_of, objects_of, text_of
from dragoman.dialects.openai_responses.content import NAME
from dragoman.dialects.openai_responses.items import read_item

SERVER_TOOLS = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "code_interpreter": "code_execution",
    "computer": "computer",
    "computer_use_preview": "computer",
    "file_search": "file_search",
    "image_generation": "image_generation",
    "local_shell": "bash",
    "shell": "bash",
}


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent to ``/v1/responses``."""
    del path  # the body says it all
    fields = parse_fields(body)
    model = fields.text("model")
    options = fields.fields("stream_options")
    form = fields.fields("text") or Fields({})
    messages = _read_input(fields, model)
    request = Request(
        dialect=NAME,
        model=model,
        messages=messages,
        tools=tuple(_read_tool(tool) for tool in fields.each("tools")),
        tool_choice=_read_choice(fields),
        parallel_tools=fields.flag("parallel_tool_calls"),
        max_tokens=fields.integer("max_output_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        logprobs="message.output_text.logprobs" in list_of(fields.left, "include") or None,
        top_logprobs=fields.integer("top_logprobs"),
        format=_read_format(form),
        verbosity=form.maybe_text("verbosity"),
        thinking=_read_thinking(fields),
        stream=fields.flag("stream") or False,
        include_usage=True,
        user=fields.text("safety_identifier") or fields.text("user"),
        metadata=fields.mapping("metadata"),
        service_tier=fields.maybe_text("service_tier"),
        store=fields.flag("store"),
        previous_id=fields.text("previous_response_id"),
        cache_key=fields.maybe_text("prompt_cache_key"),
        extra=fields.left,
    )
    if form.left:
        fields.left["text"] = form.left
    if options is not None:
        fields.left["stream_options"] = options.left
    return request


def _read_input(fields: Fields, model: str) -> tuple[Message, ...]:
    messages: list[Message] = []
    instructions = fields.take("instructions")
    if type(instructions) is str:
        messages.append(Message(role="system", blocks=(Text(text=instructions),), top=True))
    elif instructions is not None:
        raise fields.wrong("instructions", "a string")
    given = fields.take("input")
    if type(given) is str:
        messages.append(Message(role="user", blocks=(Text(text=given),), extra={"_string": True}))
    elif given is not None:
        fields.left["input"] = given
        messages += one_by_one(fields.items("input"), lambda item: read_item(item, model), "input")
    return reunited(messages)


def _read_tool(tool: Fields) -> Tool:
    kind = text_of(tool.left, "type")
    if kind == "function":
        inner = tool.fields("function")  # the shape of chat, which some clients send here
        if inner is not None:
            tool = inner
        description = tool.text("description") if tool.left.get("description") != "" else ""
        return Tool(
            name=tool.text("name"),
            description=description,
            parameters=tool.mapping("parameters"),
            strict=tool.flag("strict"),
            extra=tool.left,
        )
    if kind == "custom":
        return Tool(name=tool.text("name"), description=tool.text("description"), kind="custom", extra=tool.left)
    named = next((word for start, word in SERVER_TOOLS.items() if kind.startswith(start)), kind)
    return Tool(name=text_of(tool.left, "name"), kind="server", type=named, extra=tool.left)


def _read_choice(fields: Fields) -> ToolChoice | None:
    choice = fields.take("tool_choice")
    if choice is None:
        return None
    if type(choice) is str:
        if choice == "auto":
            return ToolChoice(mode="auto")
        if choice not in ("none", "required"):
            raise fields.unknown("tool_choice", choice)
        return ToolChoice(mode="none" if choice == "none" else "required")
    one = Fields(choice, "tool_choice")
    kind = one.text("type")
    if kind == "allowed_tools":
        names = tuple(text_of(tool, "name") for tool in objects_of(choice, "tools"))
        return ToolChoice(
            mode="allowed", names=tuple(filter(None, names)), required=choice.get("mode") == "required", extra=choice
        )
    if kind in ("function", "custom"):
        return ToolChoice(mode="named", names=(one.text("name"),), extra=choice)
    return ToolChoice(mode="required", extra=choice)  # one of the provider's own tools


def _read_format(text: Fields) -> Format | None:
    form = text.fields("format")
    if form is None:
        return None
    kind = form.text("type")
    if kind == "text":
        return Format(kind="text", extra=form.left)
    if kind == "json_object":
        return Format(kind="json", extra=form.left)
    if kind != "json_schema":
        raise form.unknown("type", kind)
    return Format(
        kind="schema",
        name=form.text("name"),
        schema=form.mapping("schema"),
        strict=form.flag("strict"),
        description=form.text("description"),
        extra=form.left,
    )


def _read_thinking(fields: Fields) -> Thinking | None:
    reasoning: Json | None = fields.mapping("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.get("effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return Thinking(
        effort=effort if effort in EFFORTS else None, show=True if summary is not None else None, extra=reasoning
    )
