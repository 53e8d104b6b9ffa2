"""The catalogue: one row of ``catalogue.toml`` for each kind of provider that needs no code of its own.

A row says where a provider listens, how it wants its key and in what it departs from OpenAI's dialect. It is data and
not Python, so that adding a provider is adding a row; it is read once, on first use, and checked as a whole: a row that
is there twice, or two rows that one environment variable would both switch on, are refused with both names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import msgspec

from dragoman.errors import ConfigError

Endpoint = Literal[
    "chat",
    "responses",
    "messages",
    "embeddings",
    "images",
    "speech",
    "transcription",
    "rerank",
    "moderation",
    "video",
    "batch",
    "models",
    "realtime",
    "live",
    "fim",
    "files",
]
StreamUsage = Literal["option", "always", "reject"]
MaxTokensField = Literal["either", "max_tokens", "max_completion_tokens"]
ErrorShape = Literal["openai", "openrouter", "google", "mistral", "detail", "string", "cloudflare", "base_resp"]


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a dialect is spoken that is not spoken at the row's own base URL."""

    url: str
    auth: str = ""  # empty: the row's


# What a row that names no dialects speaks, by what it serves.
BY_ENDPOINT: tuple[tuple[Endpoint, str], ...] = (
    ("responses", "openai_responses"),
    ("messages", "anthropic"),
    ("rerank", "rerank"),
)
OPENAI = ("openai_chat", "openai_completions", "openai_embeddings")


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of provider.

    - ``base_url``: paths are appended to it. ``${VAR}`` stands for the user's own part; empty when all of it is.
    - ``env``: the variables its key is usually in; ``automatic``: whether one that is set makes a provider.
    - ``auth``: ``bearer``, or the header that the bare key goes into; ``key_optional`` when it may have none.
    - ``identity``: what it takes instead of a key, ``aws``, ``google`` or ``entra``, or what a key is exchanged by,
      ``ibm``; and the ``audience`` of that: the name that AWS signs for, or the scope of a token.
    - ``endpoints``: what it serves, by the last known listing; ``completions`` goes wherever ``chat`` does.
    - ``stream_usage``: ``option`` honours ``stream_options``, ``always`` reports usage unasked, ``reject`` refuses it.
    - ``max_tokens_field``: the one name it knows for the limit, or ``either``.
    - ``unsupported``: request fields that it refuses or ignores.
    - ``unknown_fields``: false when it refuses fields that are not in its own schema.
    - ``reasoning_out``: where its reasoning stands in an answer; empty when it has none or none is known.
    - ``error_shape``: how its error bodies look.
    - ``dialects``: what it speaks; requests of other dialects are translated into the first. Empty: OpenAI's, and of
      the others those that its endpoints stand for.
    - ``bases``: base URLs of dialects that it speaks elsewhere.
    - ``prices``: its id in genai-prices; empty when it is not there.
    - ``models``: its id at models.dev; empty: the row's own.
    - ``domain``: what fails together with it; empty: the row's own id.
    - ``example``: a small model of it, for a first request to paste.
    """

    id: str
    base_url: str = ""
    env: tuple[str, ...] = ()
    automatic: bool = True
    auth: str = "bearer"
    key_optional: bool = False
    identity: Literal["", "aws", "google", "entra", "ibm"] = ""
    audience: str = ""
    allow_private: bool = False
    endpoints: tuple[Endpoint, ...] = ("chat",)
    stream_usage: StreamUsage = "option"
    max_tokens_field: MaxTokensField = "either"
    unsupported: tuple[str, ...] = ()
    unknown_fields: bool = True
    reasoning_out: str = ""
    error_shape: ErrorShape = "openai"
    dialects: tuple[str, ...] = ()
    bases: dict[str, Base] = {}
    prices: str = ""
    models: str = ""
    domain: str = ""
    example: str = ""

    @property
    def spoken(self) -> tuple[str, ...]:
        """The dialects that it speaks, the best first."""
        if self.dialects:
            return self.dialects
        return OPENAI + tuple(name for endpoint, name in BY_ENDPOINT if endpoint in self.endpoints)


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    kind: tuple[Row, ...]


@cache
def rows() -> Mapping[str, Row]:
    """Every row by its id, in the order of the file."""
    text = files("dragoman.providers").joinpath("catalogue.toml").read_text("utf-8")
    table = msgspec.convert(tomllib.loads(text), _Table)
    return MappingProxyType(index(table.kind))


def row(kind: str) -> Row | None:
    """The row of that id."""
    return rows().get(kind)


def index(table: Iterable[Row]) -> dict[str, Row]:
    """The rows by id; raises :class:`ConfigError` when two claim the same id or the same variable."""
    by_id: dict[str, Row] = {}
    by_variable: dict[str, Row] = {}
    problems = []
    for one in table:
        other = by_id.setdefault(one.id, one)
        if other is not one:
            problems.append(f"two kinds of provider are called {one.id}: {other.base_url} and {one.base_url}")
        for variable in one.env if one.automatic else ():
            other = by_variable.setdefault(variable, one)
            if other is not one:
                problems.append(f"{variable} would switch on both {other.id} and {one.id}")
    if problems:
        raise ConfigError(problems)
    return by_id
