"""Writes a Converse request."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragoman.dialects.anthropic.models import Claude, claude
from dragoman.dialects.anthropic.thinking import write_thinking
from dragoman.dialects.anthropic.tools import object_schema
from dragoman.dialects.bedrock.blocks import NAME, own_blocks
from dragoman.dialects.bedrock.conversation import write_messages
from dragoman.dialects.canonical import Format, Json, Request, Text, Tool, ToolCall, ToolResult
from dragoman.dialects.continuity import bare
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import in_turns
from dragoman.dialects.undo import CUSTOM_SCHEMA, Undo

ANSWER_TOOL = "json"
JSON_ONLY = "Answer with a single JSON object and nothing else: no prose, no code fence."
WITHOUT_WORDS = {
    "frequency_penalty": False,
    "presence_penalty": False,
    "seed": False,
    "logit_bias": False,
    "logprobs": True,
    "top_logprobs": True,
    "verbosity": False,
    "cache_key": False,
    "store": False,
}


def path_of(model: str, action: str) -> str:
    """A path behind the host: a model's name is one segment of it, whatever is in it."""
    return f"/model/{quote(model, safe='')}/{action}"


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Bedrock gets it."""
    path = path_of(target.model, "converse-stream" if request.stream else "converse")
    if request.dialect == NAME:
        return Outgoing(path=path, body=msgspec.json.encode(_own(request)))
    facts = claude(target.model) if "claude" in bare(target.model) else None
    system, turns = in_turns(request.messages)
    body: Json = {}
    undo = _write_tools(body, request, facts, losses)
    if request.format is not None and request.format.kind != "text" and not undo.answer_tool:
        if request.format.kind == "schema" and facts is not None and facts.native_schema:
            body["outputConfig"] = {"textFormat": _text_format(request.format)}
        else:
            losses.approximate("response_format", "asked for in words")
            system.append(Text(text=_instructions(request.format)))
    more = _write_thinking(body, request, facts, losses)
    _write_inference(body, request, (target, facts), more, losses)
    write_messages(body, (system, turns), target, losses, undo)
    if more:
        body["additionalModelRequestFields"] = more
    if request.metadata:
        body["requestMetadata"] = {name: str(value)[:256] for name, value in list(request.metadata.items())[:16]}
    if request.service_tier in ("priority", "default", "flex"):
        body["serviceTier"] = {"type": request.service_tier}
    _name_losses(request, losses)
    return Outgoing(path=path, body=msgspec.json.encode(body), undo=undo)


def _own(request: Request) -> Json:
    """A request of this dialect, as it was."""
    body: Json = {}
    messages = []
    for message in request.messages:
        content = own_blocks(message.blocks)
        if message.top:
            body["system"] = content
        else:
            messages.append({"role": message.role, "content": content, **message.extra})
    body["messages"] = messages
    for name, value in request.extra.items():
        if name.startswith("_"):
            body[name[1:]] = value
        elif "." not in name:
            body[name] = value
    if request.metadata is not None:
        body["requestMetadata"] = request.metadata
    if request.service_tier is not None:
        body["serviceTier"] = {"type": request.service_tier}
    return body


def _write_tools(body: Json, request: Request, facts: Claude | None, losses: Losses) -> Undo:
    choice = request.tool_choice
    none = choice is not None and choice.mode == "none"
    allowed = set(choice.names) if choice is not None and choice.mode == "allowed" else None
    specs: list[Json] = []
    renamed: dict[str, str] = {}
    for index, tool in enumerate(request.tools):
        if tool.kind == "server":
            losses.drop(f"tools[{index}]", f"the provider's own tool {tool.type}")
        elif not none and (allowed is None or tool.name in allowed):
            name = fitted_name(tool.name)
            if name != tool.name:
                renamed[name] = tool.name
            specs += _spec(tool, name)
    answer_tool = ""
    form = request.format
    if form is not None and form.kind == "schema" and not specs and not none:
        native = facts is not None and facts.native_schema
        if not native and (facts is None or facts.forced_tools):
            answer_tool = ANSWER_TOOL
            losses.approximate("response_format", f"as the arguments of a tool called {ANSWER_TOOL}")
            specs = _spec(Tool(name=ANSWER_TOOL, description="Give the answer.", parameters=form.schema), ANSWER_TOOL)
    if not specs:
        specs = _stubs(request)  # history with tools is refused without any (edge case 14)
        if none and specs:
            losses.approximate("tool_choice", "the tools of the history are declared")
    undo = Undo(
        renamed=renamed,
        custom=frozenset(tool.name for tool in request.tools if tool.kind == "custom"),
        answer_tool=answer_tool,
    )
    if specs:
        body["toolConfig"] = {"tools": specs}
        _write_choice(body["toolConfig"], request, undo, facts, losses)
    return undo


def _spec(tool: Tool, name: str) -> list[Json]:
    schema = CUSTOM_SCHEMA if tool.kind == "custom" else object_schema(tool.parameters)
    spec: Json = {"name": name, "inputSchema": {"json": schema}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict:
        spec["strict"] = True
    written: list[Json] = [{"toolSpec": spec}]
    if tool.cache is not None:
        written.append({"cachePoint": {"type": "default", **({"ttl": tool.cache} if tool.cache else {})}})
    return written


def _stubs(request: Request) -> list[Json]:
    blocks = [block for message in request.messages for block in message.blocks]
    if not any(isinstance(block, ToolCall | ToolResult) for block in blocks):
        return []
    calls = [block.name or "tool" for block in blocks if isinstance(block, ToolCall)]
    names = dict.fromkeys(fitted_name(name) for name in calls or ["tool"])
    return [spec for name in names for spec in _spec(Tool(name=name), name)]


def _write_choice(config: Json, request: Request, undo: Undo, facts: Claude | None, losses: Losses) -> None:
    choice = request.tool_choice
    forced = facts is None or facts.forced_tools
    if undo.answer_tool:
        config["toolChoice"] = {"tool": {"name": undo.answer_tool}}
    elif choice is None or choice.mode in ("auto", "none"):
        if choice is not None and choice.mode == "auto":
            config["toolChoice"] = {"auto": {}}
    elif not forced:
        losses.approximate("tool_choice", "the model takes no forced tool", meaning=True)
    elif choice.mode == "named" and choice.names:
        sent = next((sent for sent, name in undo.renamed.items() if name == choice.names[0]), choice.names[0])
        config["toolChoice"] = {"tool": {"name": sent}}
    elif choice.mode == "required" or choice.required:
        config["toolChoice"] = {"any": {}}
    if request.parallel_tools is False and facts is None:
        losses.drop("parallel_tool_calls", "cannot be turned off")


def _text_format(form: Format) -> Json:
    schema: Json = {"schema": msgspec.json.encode(form.schema or {}).decode(), "name": form.name or "answer"}
    if form.description:
        schema["description"] = form.description
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _instructions(form: Format) -> str:
    if form.schema is None:
        return JSON_ONLY
    return f"{JSON_ONLY} It must match this JSON Schema: {msgspec.json.encode(form.schema).decode()}"


def _write_thinking(body: Json, request: Request, facts: Claude | None, losses: Losses) -> Json:
    """What Converse has no word for, in the words of the model."""
    more: Json = {}
    thinking = request.thinking
    if facts is None:
        if thinking is not None and thinking.effort is not None:
            more["reasoning_effort"] = thinking.effort
            losses.approximate("reasoning_effort", "as the model's own field")
        elif thinking is not None:
            losses.drop("thinking", "the model has no budget for it")
        return more
    # Written as Anthropic has it, and put where Bedrock wants it.
    asked: Json = {"max_tokens": request.max_tokens or facts.max_output}
    if "toolChoice" in body.get("toolConfig", {}) and set(body["toolConfig"]["toolChoice"]) & {"any", "tool"}:
        asked["tool_choice"] = {"type": "any"}
    write_thinking(asked, request, in_turns(request.messages)[1], facts, losses)
    if "thinking" in asked:
        more["thinking"] = asked["thinking"]
        if asked.get("tool_choice", {}).get("type") == "auto":
            body["toolConfig"]["toolChoice"] = {"auto": {}}
    if "effort" in asked.get("output_config", {}):
        body.setdefault("outputConfig", {})["effort"] = asked["output_config"]["effort"]
    if asked["max_tokens"] != request.max_tokens and (request.max_tokens is not None or "thinking" in asked):
        body["inferenceConfig"] = {"maxTokens": asked["max_tokens"]}
    if request.parallel_tools is False and "toolConfig" in body:
        more["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    return more


def _write_inference(
    body: Json, request: Request, to: tuple[Target, Claude | None], more: Json, losses: Losses
) -> None:
    _, facts = to
    config: Json = {"maxTokens": request.max_tokens, **body.get("inferenceConfig", {})}
    thinks = more.get("thinking", {}).get("type") not in (None, "disabled")
    sampling = facts is None or (facts.sampling and not thinks)
    if sampling:
        if request.temperature is not None:
            config["temperature"] = min(request.temperature, 1.0)
            if request.temperature > 1:
                losses.approximate("temperature", "at most 1")
        if request.top_p is not None and facts is not None and not facts.both_sampling and "temperature" in config:
            losses.drop("top_p", "not beside temperature")
        else:
            config["topP"] = request.top_p
        if request.top_k is not None:
            more["top_k"] = request.top_k
    else:
        for name in ("temperature", "top_p", "top_k"):
            if getattr(request, name) not in (None, 1):
                losses.drop(name, "the model takes none")
    config["stopSequences"] = [stop for stop in request.stop if stop.strip()] or None
    config = {name: value for name, value in config.items() if value is not None}
    if config:
        body["inferenceConfig"] = config


def _name_losses(request: Request, losses: Losses) -> None:
    for name, meaning in WITHOUT_WORDS.items():
        value = getattr(request, name)
        if value is not None and value is not False and value != {}:
            losses.drop(name, "Converse has none", meaning=meaning)
    if request.n is not None and request.n > 1:
        losses.drop("n", "one answer a request", meaning=True)
    if set(request.modalities) - {"text"}:
        losses.drop("modalities", "text alone", meaning=True)
    if request.user:
        losses.drop("user", "Converse has none")
    losses.drop_own(request)
