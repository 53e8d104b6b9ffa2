"""One usage row: what one request did and cost. Written once, when the request has ended, however it ended."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Literal

from msgspec import Struct

UsageSource = Literal["provider", "counted", "estimated", "cache", "none"]


class Tokens(Struct, frozen=True, gc=False):
    """Tokens by kind. ``input`` includes the cached and cache-written, ``output`` the reasoning (as OpenAI does)."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_input: int = 0  # not cached
    audio_output: int = 0
    cache_write_1h: int = 0  # of cache_write
    cached_audio: int = 0  # of cached_input
    image_input: int = 0
    image_output: int = 0


class UsageRow(Struct, frozen=True, kw_only=True, gc=False):
    """The columns of the table ``usage``, in its order."""

    request_id: str  # begins with the time: where ids are random, their index costs five times the row
    started_at_ms: int  # Unix time
    snapshot: int
    endpoint: str  # "chat", "completions", "embeddings", or the passed-through path with * for ids
    status: int
    error_code: str = ""
    fault: str = ""
    key_id: str = ""
    organisation: str = ""
    team: str = ""
    user: str = ""
    app: str = ""
    end_user: str = ""
    tags: str = ""  # comma-separated, sorted
    metadata: str = ""  # JSON object, as the client sent it
    trace_id: str = ""
    alias: str = ""
    provider: str = ""
    model: str = ""
    deployment: str = ""
    credential: str = ""
    stream: bool = False
    attempts: int = 0
    fallback_index: int = 0
    attempt_log: str = ""  # JSON: [{deployment, credential, why, outcome, ms}]
    finish_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    usage_source: UsageSource = "none"
    cost_nanousd: int | None = None  # None: unpriced
    total_ms: float = 0.0
    upstream_ms: float = 0.0
    overhead_ms: float = 0.0
    first_token_ms: float | None = None
    lossy: str = ""  # what the request lost on its way into the provider's dialect, as x-dragoman-lossy has it
    cache_write_1h_tokens: int = 0
    cached_audio_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    guardrails: str = ""  # what each said, as x-dragoman-guardrails has it
    cache: str = ""  # what it did, as x-dragoman-cache has it
    prompt: str = ""  # the template that was called, and its version: support@2
    saved_nanousd: int = 0  # what the answer had cost that was given again
    run: str = ""  # of an agent, or a conversation: what the client calls its session


FIELDS = UsageRow.__struct_fields__
Cells = tuple[Any, ...]
"""The values of a row in the order of its fields: as a database is given it, and as rows go there."""
_PLACES = {name: place for place, name in enumerate(FIELDS)}


def row_of(cells: Cells) -> UsageRow:
    """The row for whoever reads it."""
    return UsageRow(**dict(zip(FIELDS, cells, strict=True)))


def changed(cells: Cells, **fields: object) -> Cells:
    """The row with these values in some of its fields."""
    values = list(cells)
    for name, value in fields.items():
        values[_PLACES[name]] = value
    return tuple(values)


def reader(*names: str) -> Callable[[Cells], Any]:
    """What reads a field of a row, or several."""
    return itemgetter(*(_PLACES[name] for name in names))
