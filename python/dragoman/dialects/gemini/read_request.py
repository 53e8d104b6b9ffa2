"""Reads a request to ``generateContent`` or ``streamGenerateContent``."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Block, Format, Json, Message, Request, Role, Text, Thinking
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Fields, parse
from dragoman.dialects.gemini.names import NAME, bare_name, fields_of, inner, listed
from dragoman.dialects.gemini.parts import read_part, rejoined
from dragoman.dialects.gemini.schema import from_openapi
from dragoman.dialects.gemini.tools import read_choice, read_tools

ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool"}
LEVELS = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high", "XHIGH": "xhigh"}
JSON_TYPE = "application/json"
KEPT = ("generationConfig", "tools", "toolConfig", "store")


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent."""
    return request_of(fields_of(parse(body)), path)


def request_of(fields: Fields, path: Path) -> Request:
    """The same, of JSON that is read already."""
    # What is written back to this dialect is what came; the rest is for the others.
    kept = {f"_{name}": fields.left[name] for name in KEPT if fields.left.get(name) is not None}
    config = inner(fields, "generationConfig") or Fields({})
    tool_config = inner(fields, "toolConfig")
    named = fields.left.get("model")
    if named is not None and type(named) is not str:
        raise fields.wrong("model", "a string")
    choice = read_choice(tool_config)
    tier = fields.maybe_text("serviceTier")
    messages = (*_read_system(fields), *_read_contents(fields))
    modalities = tuple(word.lower() for word in config.texts("responseModalities"))
    request = Request(
        dialect=NAME,
        model=bare_name(path.model or named or ""),
        messages=messages,
        tools=read_tools(fields),
        tool_choice=choice,
        max_tokens=config.integer("maxOutputTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.integer("topK"),
        frequency_penalty=config.number("frequencyPenalty"),
        presence_penalty=config.number("presencePenalty"),
        seed=config.integer("seed"),
        stop=config.texts("stopSequences"),
        n=config.integer("candidateCount"),
        logprobs=config.flag("responseLogprobs"),
        top_logprobs=config.integer("logprobs"),
        format=_read_format(config),
        thinking=_read_thinking(config),
        modalities=modalities,
        stream=path.stream if path.stream is not None else path.action.startswith("stream"),
        include_usage=True,
        service_tier=None if tier is None else tier,
        store=fields.flag("store"),
        extra=fields.left,
    )
    fields.left |= kept
    # Fields of these objects that have no name elsewhere are told one by one, should they be lost.
    fields.left |= {f"generationConfig.{name}": value for name, value in config.left.items()}
    if tool_config is not None:
        fields.left |= {f"toolConfig.{name}": value for name, value in tool_config.left.items()}
    return request


def _read_system(fields: Fields) -> tuple[Message, ...]:
    """Instructions: a content, a part, a string, or a list of these last two."""
    value: Any = fields.take("systemInstruction")
    if value is None:
        return ()
    at = "systemInstruction"
    if type(value) is dict and ("parts" in value or "role" in value):
        content = fields_of(value, at)
        blocks = _read_parts(listed(content, "parts"), f"{at}.parts")
        return (Message(role="system", blocks=blocks, top=True, extra=content.left),)
    items = value if type(value) is list else [value]
    return (Message(role="system", blocks=_read_parts(items, at), top=True),)


def _read_parts(items: list[Any], at: str) -> tuple[Block, ...]:
    return tuple(
        Text(text=item) if type(item) is str else read_part(item, f"{at}[{index}]") for index, item in enumerate(items)
    )


def _read_contents(fields: Fields) -> tuple[Message, ...]:
    return tuple(
        Message(role="user", blocks=(Text(text=item),))
        if type(item) is str
        else _read_content(fields_of(item, f"contents[{index}]"))
        for index, item in enumerate(listed(fields, "contents"))
    )


def _read_content(content: Fields) -> Message:
    role = content.text("role")
    if role and role not in ROLES:
        raise content.unknown("role", role)
    blocks = _read_parts(listed(content, "parts"), content.path("parts"))
    if role == "model":
        blocks = tuple(rejoined(list(blocks)))
    if not role:
        content.left["_role"] = ""
    return Message(role=ROLES[role or "user"], blocks=blocks, extra=content.left)


def _read_format(config: Fields) -> Format | None:
    kind = config.maybe_text("responseMimeType")
    extra: Json = {} if kind == JSON_TYPE else {"responseMimeType": kind}
    schema = config.mapping("responseJsonSchema")
    if schema is None and config.left.get("responseSchema") is not None:
        original = config.mapping("responseSchema")
        extra["responseSchema"] = original
        schema = from_openapi(original)
    if schema is not None:
        return Format(kind="schema", schema=schema, extra=extra)
    if kind is None:
        return None
    return Format(kind="json" if kind == JSON_TYPE else "text", extra=extra)


def _read_thinking(config: Fields) -> Thinking | None:
    thinking = inner(config, "thinkingConfig")
    if thinking is None:
        return None
    level = thinking.text("thinkingLevel")
    effort = LEVELS.get(level.upper())
    budget, show = thinking.integer("thinkingBudget"), thinking.flag("includeThoughts")
    if level and effort is None:
        thinking.left["thinkingLevel"] = level
    return Thinking(effort=effort, budget=budget, show=show, extra=thinking.left)
