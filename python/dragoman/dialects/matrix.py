"""What each dialect can carry of a request: found out by writing one, so the table cannot differ from the code.

A feature reaches a provider where the client's dialect and the provider's both have a word for it; of N dialects one
table of N columns therefore tells all N x N pairs. What a pair loses of one request is in ``x-dragoman-lossy``.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Audio,
    Block,
    Document,
    Format,
    Image,
    Message,
    Request,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
)
from dragoman.dialects.continuity import family_of
from dragoman.dialects.dialect import Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS

Carried = Literal["yes", "nearly", "no"]

# Who speaks a dialect first, and a model of theirs for most things and one for how hard to think.
MODELS: dict[str, tuple[str, str, str]] = {
    "openai_chat": ("openai", "gpt-4o", "gpt-5.2"),
    "openai_responses": ("openai", "gpt-4o", "gpt-5.2"),
    "anthropic": ("anthropic", "claude-sonnet-4-5", "claude-opus-4-7"),
    "gemini": ("gemini", "gemini-2.5-flash", "gemini-3-pro-preview"),
    "bedrock": ("bedrock", "anthropic.claude-sonnet-4-5-v1:0", "anthropic.claude-opus-4-7-v1:0"),
    "cohere": ("cohere", "command-a-03-2025", "command-a-reasoning-08-2025"),
    "ollama": ("ollama", "qwen3", "gpt-oss"),
    "bedrock_invoke": ("bedrock", "anthropic.claude-sonnet-4-5-v1:0", "anthropic.claude-opus-4-7-v1:0"),
    "watsonx": ("watsonx", "ibm/granite-3-8b-instruct", "openai/gpt-oss-120b"),
    "vertex_claude": ("vertex-anthropic", "claude-sonnet-4-5@20250929", "claude-opus-4-7"),
}
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TOOL = Tool(name="get_weather", parameters=_SCHEMA)
_CALL = ToolCall(id="call_1", name="get_weather", arguments='{"city":"Paris"}')
_PNG = Source(media_type="image/png", data="iVBORw0KGgo=")
_BASE = Request(
    dialect="", model="", messages=(Message(role="user", blocks=(Text(text="Hi"),)),), max_tokens=4096, store=False
)


def _said(*blocks: Block) -> Request:
    return replace(_BASE, messages=(Message(role="user", blocks=blocks),))


def _returned(*blocks: Block) -> Request:
    """A call, and what came of it."""
    messages = (
        *_BASE.messages,
        Message(role="assistant", blocks=(_CALL,)),
        Message(role="tool", blocks=(ToolResult(call_id="call_1", content=blocks),)),
    )
    return replace(_BASE, messages=messages, tools=(_TOOL,))


FEATURES: dict[str, Request] = {
    "system instructions": replace(
        _BASE, messages=(Message(role="system", blocks=(Text(text="S"),), top=True), *_BASE.messages)
    ),
    "images, inline": _said(Image(source=_PNG)),
    "images by URL": _said(Image(source=Source(url="https://x.example/a.png"))),
    "audio": _said(Audio(source=Source(media_type="audio/wav", data="UklGRg=="), format="wav")),
    "video": _said(Video(source=Source(media_type="video/mp4", data="AAAA"))),
    "PDF documents": _said(Document(source=Source(media_type="application/pdf", data="JVBERi0="), name="a.pdf")),
    "tools": replace(_BASE, tools=(_TOOL,)),
    "tool results": _returned(Text(text="sunny")),
    "images in tool results": _returned(Image(source=_PNG)),
    "a tool that must be called": replace(
        _BASE, tools=(_TOOL,), tool_choice=ToolChoice(mode="named", names=("get_weather",))
    ),
    "no tool": replace(_BASE, tools=(_TOOL,), tool_choice=ToolChoice(mode="none")),
    "one tool at a time": replace(_BASE, tools=(_TOOL,), parallel_tools=False),
    "custom tools": replace(_BASE, tools=(Tool(name="sql", kind="custom"),)),
    "an answer in JSON": replace(_BASE, format=Format(kind="json")),
    "an answer by schema": replace(_BASE, format=Format(kind="schema", name="n", schema=_SCHEMA, strict=True)),
    "how hard to think": replace(_BASE, thinking=Thinking(effort="high")),
    "marks for the prompt cache": _said(Text(text="Hi", cache="")),
    "temperature": replace(_BASE, temperature=0.5),
    "top_p": replace(_BASE, top_p=0.5),
    "top_k": replace(_BASE, top_k=5),
    "stop sequences": replace(_BASE, stop=("x",)),
    "seed": replace(_BASE, seed=1),
    "penalties": replace(_BASE, frequency_penalty=0.5, presence_penalty=0.5),
    "log-probabilities": replace(_BASE, logprobs=True, top_logprobs=2),
    "several choices": replace(_BASE, n=2),
    "the end user": replace(_BASE, user="u"),
}
THINKING = frozenset({"how hard to think"})


def target_of(dialect: str, *, thinking: bool = False) -> Target:
    """Whom a dialect's column is about."""
    provider, plain, thoughtful = MODELS[dialect]
    model = thoughtful if thinking else plain
    return Target(model=model, provider=provider, family=family_of(provider, model))


def carried(request: Request, dialect: str, *, thinking: bool = False) -> Carried:
    """Whether a dialect can carry what a request asks for."""
    losses = Losses()
    DIALECTS[dialect].write_request(request, target_of(dialect, thinking=thinking), losses)
    kinds = {loss.how for loss in losses.found.values()}
    return "no" if "dropped" in kinds else "nearly" if kinds else "yes"


def matrix() -> dict[str, dict[str, Carried]]:
    """Every feature, and what each dialect makes of it."""
    return {
        feature: {dialect: carried(request, dialect, thinking=feature in THINKING) for dialect in DIALECTS}
        for feature, request in FEATURES.items()
    }
