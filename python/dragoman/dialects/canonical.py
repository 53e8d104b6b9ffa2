"""The one form that every dialect is read into and written from: N dialects make N x N pairs.

A request is read as it stands: messages keep their number, order and place, and nothing is merged or moved. What a
target needs of them (turns that alternate, results before text, ids of nine characters) is done when it is written, by
:mod:`dragoman.dialects.turns`, because only then is it known. So a request read from a dialect and written to the same
one is what it was.

What is typed here is what some other dialect has a word for. The rest of an object is its ``extra``: the fields of the
dialect it was read from that have no name here, written back to that dialect alone (``Request.dialect`` and
``Answer.dialect`` say which). A block that means nothing elsewhere is an :class:`Opaque`.

Continuity is a :class:`Proof`: a signature or ciphertext that only the family of models which made it can read. It
travels with the block that it belongs to, through any dialect, and is taken off where the target is another family.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

Role = Literal["system", "developer", "user", "assistant", "tool"]
Json: TypeAlias = dict[str, Any]

# What a stop means, whatever its dialect calls it. ``error``: the model broke off by a fault of its own.
Stop = Literal["stop", "sequence", "length", "tool_calls", "filter", "refusal", "pause", "error"]

# Who can read a proof back.
Family = Literal["anthropic", "google", "openai", "xai", ""]
# ``signature``: of the visible text it stands with. ``redacted``, ``encrypted``: of reasoning that is not shown.
# ``thought``: Gemini's, of the part that it stands at.
ProofKind = Literal["signature", "redacted", "encrypted", "thought"]


class Proof(Struct, frozen=True, kw_only=True):
    """Opaque continuity data."""

    kind: ProofKind
    value: str
    family: Family = ""
    model: str = ""  # that made it; empty: not known
    call_id: str = ""  # of the tool call that it belongs to, where the dialect keeps it elsewhere


class Source(Struct, frozen=True, kw_only=True):
    """Where the content of an image, a document or the like is. One of the four is given."""

    media_type: str = ""
    data: str | None = None  # base64
    url: str | None = None
    file_id: str | None = None
    text: str | None = None  # a document of plain text


class Citation(Struct, frozen=True, kw_only=True):
    """A source that the text of its block rests on. Offsets count characters of that block's text."""

    url: str = ""
    title: str = ""
    cited_text: str = ""
    start: int | None = None
    end: int | None = None
    extra: Json = {}


class Text(Struct, frozen=True, kw_only=True):
    """Text that somebody says."""

    text: str
    citations: tuple[Citation, ...] = ()
    proof: Proof | None = None
    cache: str | None = None  # a mark for the provider's prompt cache: "5m", "1h", or "" for its default
    extra: Json = {}


class Image(Struct, frozen=True, kw_only=True):
    """A picture."""

    source: Source
    detail: str = ""
    cache: str | None = None
    extra: Json = {}


class Audio(Struct, frozen=True, kw_only=True):
    """Sound."""

    source: Source
    format: str = ""
    transcript: str = ""
    id: str = ""
    extra: Json = {}


class Video(Struct, frozen=True, kw_only=True):
    """Moving pictures."""

    source: Source
    extra: Json = {}


class Document(Struct, frozen=True, kw_only=True):
    """A file to read, such as a PDF."""

    source: Source
    name: str = ""
    context: str = ""
    citations: bool = False  # whether the model is to cite it
    cache: str | None = None
    extra: Json = {}


class ToolCall(Struct, frozen=True, kw_only=True):
    """The model wants a tool of the client's run."""

    id: str  # empty: the dialect has none, and calls are paired with results by order
    name: str
    arguments: str  # JSON text of an object; of a ``custom`` tool, any text
    kind: Literal["function", "custom"] = "function"
    proof: Proof | None = None
    cache: str | None = None
    extra: Json = {}


class ToolResult(Struct, frozen=True, kw_only=True):
    """What came of it."""

    call_id: str
    content: tuple[Block, ...]
    name: str = ""
    is_error: bool = False
    kind: Literal["function", "custom"] = "function"
    cache: str | None = None
    extra: Json = {}


class Reasoning(Struct, frozen=True, kw_only=True):
    """What the model thought on the way, as far as it shows it."""

    text: str = ""
    proof: Proof | None = None
    id: str = ""
    summary: bool = False  # told in summary, not word for word
    extra: Json = {}


class Refusal(Struct, frozen=True, kw_only=True):
    """The model's words for not answering."""

    text: str
    extra: Json = {}


class Opaque(Struct, frozen=True, kw_only=True):
    """A block that only its own dialect has: server tools, containers, compactions."""

    dialect: str
    type: str  # as the dialect calls it
    raw: Json


Block: TypeAlias = Text | Image | Audio | Video | Document | ToolCall | ToolResult | Reasoning | Refusal | Opaque


class Message(Struct, frozen=True, kw_only=True):
    """One message, in the order in which it was sent.

    Instructions that stand outside the list of messages come first, with ``top``.
    """

    role: Role
    blocks: tuple[Block, ...]
    name: str = ""
    top: bool = False
    extra: Json = {}


class Tool(Struct, frozen=True, kw_only=True):
    """A tool that the model may call.

    ``server`` tools are run by the provider; ``type`` is then the canonical name of what it does (``web_search``,
    ``code_execution``, ``web_fetch``, ...) or, where there is none, the dialect's, and ``extra`` is all of it.
    """

    name: str
    description: str = ""
    parameters: Json | None = None  # JSON Schema
    strict: bool | None = None
    kind: Literal["function", "custom", "server"] = "function"
    type: str = ""
    cache: str | None = None
    extra: Json = {}


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Whether and which tools are to be called."""

    mode: Literal["auto", "none", "required", "named", "allowed"]
    names: tuple[str, ...] = ()
    required: bool = False  # of ``allowed``: one of them must be called
    extra: Json = {}


class Format(Struct, frozen=True, kw_only=True):
    """What the answer's text is to be."""

    kind: Literal["text", "json", "schema"]
    name: str = ""
    schema: Json | None = None
    strict: bool | None = None
    description: str = ""
    extra: Json = {}


# Least to most; ``none`` is off.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Thinking(Struct, frozen=True, kw_only=True):
    """How much the model is to think, and whether it is to show it. Unset: as the provider does by itself."""

    effort: str | None = None  # of EFFORTS
    budget: int | None = None  # tokens; 0: off, -1: as many as the model sees fit
    show: bool | None = None
    extra: Json = {}


class Request(Struct, frozen=True, kw_only=True):
    """A request to generate."""

    dialect: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    format: Format | None = None
    verbosity: str | None = None
    thinking: Thinking | None = None
    modalities: tuple[str, ...] = ()  # lower case; empty: text
    stream: bool = False
    include_usage: bool = False  # in a stream of a dialect that tells it only when asked
    user: str = ""
    metadata: Json | None = None
    service_tier: str | None = None
    store: bool | None = None
    previous_id: str = ""  # of the stored answer that this goes on from
    cache_key: str | None = None
    extra: Json = {}


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens. ``input`` counts all of the prompt, cached or not; ``output`` all that was generated, reasoning too."""

    input: int = 0
    output: int = 0
    cached: int = 0  # of input: read from the provider's cache
    cache_write: int = 0  # of input: written to it
    cache_write_1h: int = 0  # of cache_write: to be kept for an hour
    reasoning: int = 0  # of output
    audio_input: int = 0  # not cached
    audio_output: int = 0
    cached_audio: int = 0  # of cached
    image_input: int = 0
    image_output: int = 0
    extra: Json = {}


class Choice(Struct, frozen=True, kw_only=True):
    """One of the answers to a request; nearly always there is one."""

    blocks: tuple[Block, ...]
    stop: Stop | None
    native_stop: str = ""  # in the provider's words
    stop_sequence: str | None = None
    index: int = 0
    logprobs: Json | None = None  # as OpenAI chat has them: {"content": [...]}
    extra: Json = {}


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    dialect: str
    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created_s: int = 0  # 0: the dialect does not say
    service_tier: str = ""
    extra: Json = {}


# Events: an answer in pieces. Blocks of one choice follow each other and are numbered from 0; only one is open at a
# time. A reader makes up the starts and stops that its dialect does not say.


class Started(Struct, frozen=True, kw_only=True):
    """The answer begins. Comes once, first."""

    dialect: str
    id: str = ""
    model: str = ""
    created_s: int = 0
    usage: Usage | None = None  # what is known so early
    extra: Json = {}


class BlockStarted(Struct, frozen=True, kw_only=True):
    """A block begins: ``block`` is all of it that is known, its text or arguments empty. An :class:`Opaque`, an
    :class:`Image` and reasoning that is not shown come whole."""

    index: int
    block: Block
    choice: int = 0


class Delta(Struct, frozen=True, kw_only=True):
    """A piece of the open block's text, arguments, reasoning or transcript, according to the block's kind."""

    index: int
    text: str
    choice: int = 0
    logprobs: Json | None = None
    data: str | None = None  # of sound: base64


class Proved(Struct, frozen=True, kw_only=True):
    """The proof of the open block; comes last in it."""

    index: int
    proof: Proof
    choice: int = 0


class Cited(Struct, frozen=True, kw_only=True):
    """A citation of the open text."""

    index: int
    citation: Citation
    choice: int = 0


class BlockStopped(Struct, frozen=True, kw_only=True):
    """The open block is whole. ``extra``: fields of its own dialect that are known only now."""

    index: int
    choice: int = 0
    extra: Json = {}


class Finished(Struct, frozen=True, kw_only=True):
    """A choice is whole."""

    stop: Stop
    native_stop: str = ""
    stop_sequence: str | None = None
    choice: int = 0
    extra: Json = {}


class Metered(Struct, frozen=True, kw_only=True):
    """The usage so far, cumulative: the last one counts."""

    usage: Usage


class Failed(Struct, frozen=True, kw_only=True):
    """The provider reports an error in the middle of its answer. Nothing follows."""

    report: Report


class Passed(Struct, frozen=True, kw_only=True):
    """An event that only its own dialect has."""

    dialect: str
    type: str
    raw: Json


Event: TypeAlias = Started | BlockStarted | Delta | Proved | Cited | BlockStopped | Finished | Metered | Failed | Passed


# What an error is about, whatever its dialect calls it.
Trouble = Literal[
    "invalid",  # the request is wrong
    "context_length",  # it is too long for the model
    "auth",
    "forbidden",
    "not_found",
    "too_large",
    "rate_limit",
    "quota",  # money or a plan's end, which waiting does not mend
    "filter",  # refused for its content
    "server",
    "overloaded",
    "timeout",
]


class Report(Struct, frozen=True, kw_only=True):
    """An error, as a provider tells it."""

    trouble: Trouble
    message: str
    status: int  # that it has, or would have were it the answer's
    type: str = ""  # in the provider's words
    code: str = ""
    param: str | None = None
    retry_after_s: float | None = None
    extra: Json = {}
