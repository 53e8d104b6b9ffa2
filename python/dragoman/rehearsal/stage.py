"""A request in, a plan out: the whole rehearsal but for the clock and the wire.

The same request under the same seed gives the same plan, byte for byte, but for ``created`` and the dates, which come
from the ``now_s`` that is passed in. What the seed is mixed with is what decides an answer: the model, the messages
and the tools, as raw bytes. Whether it is streamed does not matter, so both ways say the same.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import Literal

import msgspec
from msgspec import Struct

from dragoman.config.schema import Rehearsal
from dragoman.core import TokenCounter
from dragoman.errors import ConfigError, InvalidRequest, MethodNotAllowed, NotFound, RequestError
from dragoman.rehearsal import embed, faults, render
from dragoman.rehearsal.answer import Said, Speaker, answer_chat, answer_completion
from dragoman.rehearsal.pieces import Pieces
from dragoman.rehearsal.plan import EVENT_STREAM, Headers, Pace, Plan, Step
from dragoman.rehearsal.recording import Recordings
from dragoman.rehearsal.render import CHAT, COMPLETION, DONE, Head, Shape, Usage
from dragoman.rehearsal.request import (
    Asked,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Generation,
    read,
    read_inputs,
    read_prompts,
)
from dragoman.rehearsal.script import Script, overlay

SCRIPT_HEADER = "x-dragoman-rehearsal"
MODELS = ("rehearsal", "rehearsal-embedding")
_MODELS_SINCE = 1_767_225_600
_LIMITS: Headers = [
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999000"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "30ms"),
]


class Received(Struct, frozen=True):
    """A request as it came; ``path`` is relative to where the rehearsal is mounted."""

    method: str
    path: str
    body: bytes = b""
    script: str | None = None  # the header x-dragoman-rehearsal


class Turn(Struct, frozen=True):
    """One request on stage: how it is played, and with what."""

    received: Received
    model: str
    script: Script
    seed: int
    pace: Pace
    counter: TokenCounter
    now_s: float

    @property
    def label(self) -> str:
        """A hexadecimal name, the same for the same request."""
        return f"{self.seed:032x}"[:24]

    @property
    def origin(self) -> Headers:
        """What every answer carries."""
        return [("x-request-id", f"req_{self.label}"), ("openai-processing-ms", f"{self.pace.first_s * 1000:.0f}")]

    @property
    def headers(self) -> Headers:
        """What an answer that is no refusal carries."""
        return [*self.origin, *_LIMITS]

    def prompt_tokens(self, endpoint: Literal["chat", "completions", "embeddings"]) -> int:
        """What the request costs to read."""
        return self.counter.count_request(self.received.body, model=self.model, endpoint=endpoint).tokens


class Stage:
    """The rehearsal, built once from its settings. Raises ``ConfigError`` when the configured script is none."""

    def __init__(self, settings: Rehearsal, recordings: Recordings | None = None) -> None:
        self._settings = settings
        self._recordings = recordings
        self._pieces: dict[str, Pieces] = {}
        try:
            msgspec.convert(settings.script, Script)
        except msgspec.ValidationError as error:
            raise ConfigError([f"rehearsal.script: {error}"]) from None

    def plan(self, received: Received, now_s: float) -> Plan:
        """The answer to a request at that Unix time."""
        try:
            return self._dispatch(received, now_s)
        except RequestError as error:
            body = faults.error_body(error.message, error.type, param=error.param, code=error.error_code)
            return faults.as_json(error.http_status, [], body)

    def _dispatch(self, received: Received, now_s: float) -> Plan:
        path = received.path.removeprefix("/v1").rstrip("/")
        plays = {"/chat/completions": self._chat, "/completions": self._completion, "/embeddings": self._embeddings}
        if path in plays:
            _only(received, "POST")
            return plays[path](received, now_s)
        if path == "/models" or path.startswith("/models/"):
            _only(received, "GET")
            return _models(path.removeprefix("/models").removeprefix("/"))
        raise NotFound(f"Unknown request URL: {received.method} {received.path}.", code="unknown_url")

    def _chat(self, received: Received, now_s: float) -> Plan:
        request = read(received.body, ChatRequest)
        _check_stream(request)
        parts = (request.raw_messages, request.raw_tools, request.raw_functions, str(request.seed).encode())
        turn = self._turn(request, received, parts, now_s)
        if instead := self._instead(turn):
            return instead
        said = answer_chat(request, self._speaker(turn))
        return _answer(CHAT, request, said, turn, turn.prompt_tokens("chat"))

    def _completion(self, received: Received, now_s: float) -> Plan:
        request = read(received.body, CompletionRequest)
        _check_stream(request)
        turn = self._turn(request, received, (request.raw_prompt, str(request.seed).encode()), now_s)
        if instead := self._instead(turn):
            return instead
        said = answer_completion(request, read_prompts(request), self._speaker(turn))
        return _answer(COMPLETION, request, said, turn, turn.prompt_tokens("completions"))

    def _embeddings(self, received: Received, now_s: float) -> Plan:
        request = read(received.body, EmbeddingRequest)
        turn = self._turn(request, received, (), now_s)
        if instead := self._instead(turn):
            return instead
        inputs = read_inputs(request)
        length = request.dimensions or embed.dimensions_of(request.model)
        if length * len(inputs) > embed.MOST_COMPONENTS:
            raise InvalidRequest("Too much is asked for in one request.", param="input", code="input_too_large")
        salt = f"{self._settings.seed}/{turn.script.seed}/{request.model}/".encode()
        units = [embed.vector(salt + msgspec.json.encode(item), length) for item in inputs]
        written = [embed.encoded(unit) if request.encoding_format == "base64" else unit.tolist() for unit in units]
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(written)]
        tokens = turn.prompt_tokens("embeddings")
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        fields = {"object": "list", "data": data, "model": request.model}
        body = msgspec.json.encode(fields if turn.script.usage == "missing" else fields | {"usage": usage})
        plan = msgspec.structs.replace(faults.as_json(200, turn.headers, body), delay_s=turn.pace.first())
        return faults.broken(plan, turn.script, len(inputs) + 1)

    def _turn(self, request: Asked, received: Received, parts: tuple[bytes | msgspec.Raw, ...], now_s: float) -> Turn:
        header = received.script.encode() if received.script is not None else None
        field = bytes(request.rehearsal) or None
        script = overlay(self._settings.script, (SCRIPT_HEADER, header), ("rehearsal", field))
        mixed = blake2b(f"{self._settings.seed}/{script.seed}/{request.model}".encode(), digest_size=16)
        for part in parts or (received.body,):
            mixed.update(b"\0")
            mixed.update(part)
        seed = int.from_bytes(mixed.digest(), "little")
        chance = Random(seed ^ 1)  # noqa: S311 - made up on purpose
        if script.chance < 1.0 and chance.random() >= script.chance:
            script = script.spared()
        first_s = script.time_to_first_token_s
        pace = Pace(
            first_s=self._settings.time_to_first_token_s if first_s is None else first_s,
            gap_s=1.0 / (script.tokens_per_s or self._settings.tokens_per_s),
            jitter=script.jitter,
            chance=chance,
        )
        return Turn(received, request.model, script, seed, pace, TokenCounter.for_model(request.model), now_s)

    def _instead(self, turn: Turn) -> Plan | None:
        """What is played instead of an answer: a refusal or a recording."""
        if refuse := turn.script.refusal:
            return faults.refusal(refuse, turn.origin, turn.now_s)
        if turn.script.replay is None:
            return None
        if self._recordings is None:
            raise InvalidRequest("No recordings are configured (rehearsal.recordings).", param="rehearsal")
        plan = self._recordings.plan(turn.script.replay, turn.pace)
        return faults.broken(plan, turn.script, len(plan.steps[0].data) if plan.steps else 1)

    def _speaker(self, turn: Turn) -> Speaker:
        encoding = turn.counter.encoding
        pieces = self._pieces.get(encoding) or self._pieces.setdefault(encoding, Pieces(turn.counter))
        return Speaker(pieces, turn.script, turn.seed, turn.received.body)


def _answer(shape: Shape, request: Generation, said: list[Said], turn: Turn, prompt_tokens: int) -> Plan:
    script = turn.script
    visible = sum(one.tokens for one in said)
    cached = min(script.cached_tokens, prompt_tokens)
    thought = sum(one.thought_tokens for one in said)
    reasoning = script.reasoning_tokens + thought
    usage = Usage(prompt_tokens, visible + reasoning, cached, reasoning)
    reported = usage if script.usage == "exact" else None
    head = Head(("chatcmpl-" if shape is CHAT else "cmpl-") + turn.label, int(turn.now_s), request.model)
    delay_s = turn.pace.first() + script.reasoning_tokens * turn.pace.gap_s
    if request.stream:
        steps = turn.pace.gaps(render.events(shape, head, said, reported if request.wants_usage else None))
        steps.append(Step(0.0, DONE))
        headers = [*turn.headers, ("content-type", EVENT_STREAM), ("cache-control", "no-cache")]
        plan = Plan(headers=headers, steps=steps, delay_s=delay_s, streams=True)
    else:
        whole = faults.as_json(200, turn.headers, render.body(shape, head, said, reported))
        plan = msgspec.structs.replace(whole, delay_s=delay_s + (visible + thought) * turn.pace.gap_s)
    return faults.broken(plan, script, visible + 1)


def _check_stream(request: Generation) -> None:
    if request.stream_options is not None and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise InvalidRequest(message, param="stream_options")


def _only(received: Received, method: str) -> None:
    if received.method != method:
        raise MethodNotAllowed(f"Not allowed to {received.method} on {received.path} (allowed: {method}).")


def _models(wanted: str) -> Plan:
    rows = [{"id": id, "object": "model", "created": _MODELS_SINCE, "owned_by": "rehearsal"} for id in MODELS]
    if not wanted:
        return faults.as_json(200, [], msgspec.json.encode({"object": "list", "data": rows}))
    for row in rows:
        if row["id"] == wanted:
            return faults.as_json(200, [], msgspec.json.encode(row))
    raise NotFound(f"The model '{wanted}' does not exist.", param="model", code="model_not_found")
