"""What a request says, as far as the rehearsal listens. Everything else in a body is let be, as OpenAI does not.

The parts that decide the answer are kept as raw bytes too: they are what the seed is mixed with.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from dragoman.errors import InvalidRequest

EMPTY = Raw(b"")
Choices = Annotated[int, Meta(ge=1, le=128)]
MaxTokens = Annotated[int, Meta(ge=1)]
Prompt = str | list[int]  # a text, or the ids of its tokens
MOST_INPUTS = 2048  # OpenAI's own


class StreamOptions(Struct, frozen=True):
    """What a stream carries beside its content."""

    include_usage: bool = False


class Function(Struct, frozen=True):
    """A function that may be called."""

    name: str
    parameters: dict[str, Any] | None = None


class Custom(Struct, frozen=True):
    """A tool that takes free text."""

    name: str


class Tool(Struct, frozen=True):
    """A tool on offer: a function or a custom one."""

    type: str = "function"
    function: Function | None = None
    custom: Custom | None = None

    @property
    def name(self) -> str:
        """What it is called by."""
        offered = self.function or self.custom
        return offered.name if offered else ""


class ContentPart(Struct, frozen=True):
    """One part of a message; only text is read."""

    type: str = "text"
    text: str | None = None


class Message(Struct, frozen=True):
    """One message of a conversation."""

    role: str
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """Its text, parts joined by spaces."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(part.text for part in self.content or () if part.text)


class SchemaFormat(Struct, frozen=True):
    """The schema that an answer must keep to."""

    name: str = ""
    schema: dict[str, Any] | bool = True


class ResponseFormat(Struct, frozen=True):
    """The shape asked for."""

    type: str = "text"
    json_schema: SchemaFormat | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """What every request has."""

    model: Annotated[str, Meta(min_length=1)]
    user: str | None = None
    rehearsal: Raw = EMPTY


class Generation(Asked, frozen=True, kw_only=True):
    """What the requests have that are answered with text."""

    n: Choices | None = None
    stop: str | list[str] | None = None
    max_tokens: MaxTokens | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    seed: int | None = None

    @property
    def stops(self) -> list[str]:
        """The texts that end an answer, empty ones left out."""
        listed = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in listed if stop]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a chunk that says the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(Generation, frozen=True, kw_only=True):
    """``POST /chat/completions``."""

    raw_messages: Raw = field(name="messages")
    raw_tools: Raw = field(name="tools", default=EMPTY)
    raw_functions: Raw = field(name="functions", default=EMPTY)
    max_completion_tokens: MaxTokens | None = None
    reasoning_effort: str | None = None
    tool_choice: str | dict[str, Any] | None = None
    function_call: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class CompletionRequest(Generation, frozen=True, kw_only=True):
    """``POST /completions``."""

    raw_prompt: Raw = field(name="prompt", default=Raw(b'""'))
    echo: bool | None = None


class EmbeddingRequest(Asked, frozen=True, kw_only=True):
    """``POST /embeddings``."""

    input: str | list[str | int | list[int]]
    encoding_format: Annotated[str, Meta(pattern="^(float|base64)$")] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=16_384)] | None = None


Shape = TypeVar("Shape")
_MAYBE_TOOLS: Any = list[Tool] | None
_MAYBE_FUNCTIONS: Any = list[Function] | None
_PROMPT: Any = str | list[str | int | list[int]] | None
_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)


def read(body: bytes, shape: type[Shape], place: str = "") -> Shape:
    """``body`` as ``shape``; ``place`` is the field it stands in. Raises ``InvalidRequest`` naming the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        found = _PATH.match(str(error))
        what, path = (found["what"], found["path"] or "") if found else (str(error), "")
        param = f"{place}{path if path.startswith('[') or not place else '.' + path}" if path else place
        missing = re.fullmatch(r"Object missing required field `(\w+)`", what)
        if missing and not path:
            what, code = f"Missing required parameter: '{missing[1]}'.", "missing_required_parameter"
            raise InvalidRequest(what, param=missing[1], code=code) from None
        what = f"Invalid value for '{param}': {what}."
        raise InvalidRequest(what, param=param or None, code="invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {error}") from None


def read_messages(request: ChatRequest) -> list[Message]:
    """The conversation. Raises ``InvalidRequest`` when it is empty or not one."""
    messages = read(bytes(request.raw_messages), list[Message], "messages")
    if not messages:
        raise InvalidRequest("Invalid 'messages': empty array.", param="messages", code="empty_array")
    return messages


def read_tools(request: ChatRequest) -> list[Tool]:
    """The tools on offer, deprecated functions among them."""
    tools = read(bytes(request.raw_tools), _MAYBE_TOOLS, "tools") if request.raw_tools != EMPTY else None
    if tools is None and request.raw_functions != EMPTY:
        functions = read(bytes(request.raw_functions), _MAYBE_FUNCTIONS, "functions")
        tools = [Tool(function=function) for function in functions or ()]
    return [tool for tool in tools or () if tool.name]


def read_prompts(request: CompletionRequest) -> list[Prompt]:
    """The prompts, one an answer or ``n``."""
    prompt = read(bytes(request.raw_prompt), _PROMPT, "prompt")
    return _apart(prompt or "", "prompt")


def read_inputs(request: EmbeddingRequest) -> list[Prompt]:
    """The inputs, one a vector. Raises ``InvalidRequest`` for an empty one and for too many."""
    inputs = _apart(request.input, "input")
    if not inputs or not all(inputs):
        raise InvalidRequest("Invalid 'input': it is empty.", param="input", code="empty_array")
    if len(inputs) > MOST_INPUTS:
        message = f"Invalid 'input': at most {MOST_INPUTS} items, got {len(inputs)}."
        raise InvalidRequest(message, param="input", code="array_above_max_length")
    return inputs


def _apart(given: str | list[str | int | list[int]], param: str) -> list[Prompt]:
    if isinstance(given, str):
        return [given]
    ids = [item for item in given if isinstance(item, int)]
    if ids and len(ids) == len(given):
        return [ids]
    if ids:
        raise InvalidRequest(f"Invalid '{param}': token ids and texts are mixed.", param=param, code="invalid_type")
    return [item for item in given if not isinstance(item, int)]
