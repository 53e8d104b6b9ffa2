"""How one request is to be played.

A script comes from three places, each overlaying the one before field by field: the operator's configuration, the
header ``x-dragoman-rehearsal`` (JSON), and the field ``rehearsal`` of the request's body. An unknown field is refused:
a misspelt fault would otherwise pass for a healthy upstream, which is the one thing a test double must not do.

Positions are counted in chunks of the answer. A stream's chunks are its events, the first of which carries only the
role. A whole answer has one chunk a token, cut out of its body at even distances.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dragoman.errors import InvalidRequest

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Position = Annotated[int, Meta(ge=0, le=1_000_000)]
ErrorStatus = Annotated[int, Meta(ge=400, le=599)]

RetryAfterForm = Literal["seconds", "date", "milliseconds", "reset_headers"]
Malformation = Literal["json", "line", "utf8", "html"]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping of a script."""


class Refuse(Part, frozen=True, kw_only=True):
    """An error instead of an answer."""

    status: ErrorStatus = 500
    message: str = ""  # empty: what OpenAI says with that status
    type: str = ""
    code: str | None = None
    body: str | None = None  # sent as it is instead of an OpenAI-shaped error
    content_type: str = "application/json"
    retry_after_s: float | None = None  # may be negative or absurd: that is what it is for
    retry_after_form: RetryAfterForm = "seconds"
    headers: dict[str, str] = {}


class Stall(Part, frozen=True, kw_only=True):
    """Silence, after which the answer goes on."""

    after_chunks: Position = 0  # 0: before the first byte, headers included
    seconds: Seconds = 3600.0


class Cut(Part, frozen=True, kw_only=True):
    """An answer that ends before its end.

    ``close`` ends the connection in the middle of the body: the length announced in the headers is not kept. ``end``
    closes the body properly, so that only the missing ``[DONE]``, or the broken JSON, shows it.
    """

    after_chunks: Position = 1
    how: Literal["close", "end"] = "close"


class Malformed(Part, frozen=True, kw_only=True):
    """A chunk that is none, put in after so many good ones."""

    after_chunks: Position = 1
    kind: Malformation = "json"


class Break(Part, frozen=True, kw_only=True):
    """An error object inside a stream whose status said 200; nothing follows it."""

    after_chunks: Position = 1
    message: str = "The server had an error while processing your request. Sorry about that!"
    type: str = "server_error"
    code: str | None = None


class Script(Part, frozen=True, kw_only=True):
    """How a request is played. Every field left out plays as a healthy provider would."""

    seed: int | None = None  # other text for the same request
    text: str | None = None  # said instead of made-up prose
    tokens: Annotated[int, Meta(ge=1, le=16_384)] | None = None  # length of made-up prose
    echo: bool = False  # the request's own body, as received, is the text
    tool: str | None = None  # the name of an offered tool to call, whatever tool_choice says
    finish_reason: str | None = None
    reasoning_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # thought before the first visible token
    cached_tokens: Annotated[int, Meta(ge=0)] = 0  # of the prompt, at most all of it
    usage: Literal["exact", "missing"] = "exact"

    time_to_first_token_s: Seconds | None = None
    tokens_per_s: Annotated[float, Meta(gt=0)] | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.5  # how far a gap may stray from the mean, as a share of it

    refuse: ErrorStatus | Refuse | None = None
    stall: Seconds | Stall | None = None
    cut: Position | Cut | None = None
    malformed: Position | Malformed | None = None
    error: Position | Break | None = None
    chance: Annotated[float, Meta(ge=0, le=1)] = 1.0  # the share of requests, picked by the seed, that the faults hit
    replay: str | None = None  # id of a recorded answer

    @property
    def refusal(self) -> Refuse | None:
        """``refuse`` without its shorthand."""
        return Refuse(status=self.refuse) if isinstance(self.refuse, int) else self.refuse

    @property
    def silence(self) -> Stall | None:
        """``stall`` without its shorthand."""
        return Stall(seconds=self.stall) if isinstance(self.stall, int | float) else self.stall

    @property
    def early_end(self) -> Cut | None:
        """``cut`` without its shorthand."""
        return Cut(after_chunks=self.cut) if isinstance(self.cut, int) else self.cut

    @property
    def garbage(self) -> Malformed | None:
        """``malformed`` without its shorthand."""
        return Malformed(after_chunks=self.malformed) if isinstance(self.malformed, int) else self.malformed

    @property
    def late_error(self) -> Break | None:
        """``error`` without its shorthand."""
        return Break(after_chunks=self.error) if isinstance(self.error, int) else self.error

    def spared(self) -> Script:
        """The same, with no fault in it."""
        return msgspec.structs.replace(self, refuse=None, stall=None, cut=None, malformed=None, error=None)


def overlay(base: dict[str, Any], *sources: tuple[str, bytes | None]) -> Script:
    """The script that ``base`` and the JSON objects of the request, each with the name of its place, add up to.

    Raises ``InvalidRequest`` that names the place and the field.
    """
    merged = dict(base)
    for place, source in sources:
        if source is None:
            continue
        try:
            fields = msgspec.json.decode(source)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"{place} is not JSON: {error}", param=place) from None
        if fields is None:
            continue
        merged |= _checked(fields, place)
    return msgspec.convert(merged, Script)


def _checked(fields: object, place: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise InvalidRequest(f"{place} must be a JSON object", param=place)
    try:
        msgspec.convert(fields, Script)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{place}: {error}", param=place) from None
    return fields
