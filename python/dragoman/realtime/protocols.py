"""The two protocols: where a session is opened, how it names its model, and how it says what is wrong."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from dragoman.errors import InvalidRequest, NotFound
from dragoman.guardrails.prompts.sessions import LiveControls, RealtimeControls, SessionControls
from dragoman.realtime.meter import GeminiMeter, Meter, OpenAIMeter
from dragoman.realtime.speech.gemini import GeminiSpeech
from dragoman.realtime.speech.openai import OpenAISpeech

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.config.prompting import Prompt
    from dragoman.errors import RequestError
    from dragoman.guardrails.prompts.build import Rules
    from dragoman.realtime.speech.spoken import Speech
    from dragoman.server.request import Request

_decode, _encode = msgspec.json.decode, msgspec.json.encode
# What stands in a query for the gateway alone.
OURS = frozenset({"model", "deployment", "key", "api-key", "api_key", "access_token"})


class Realtime(ABC):
    """One protocol."""

    endpoint: ClassVar[str]  # as the catalogue and the usage rows have it
    dialects: ClassVar[frozenset[str]]  # of providers that may speak it
    named_inside: ClassVar[bool]  # whether the model is in the first frame, not in the query
    forwarded: ClassVar[tuple[str, ...]]  # headers of the client that mean something to the provider

    @abstractmethod
    def alias(self, query: str, first: str | bytes) -> str:
        """The model that the client wants.

        Raises:
            InvalidRequest: it names none.
        """

    @abstractmethod
    def url(self, base_url: str, model: str, path: str, query: str) -> str:
        """Where the provider takes it."""

    @abstractmethod
    def first(self, first: str | bytes, controls: SessionControls) -> str | bytes:
        """What the provider is sent before all else, as prompt controls leave it; empty: nothing.

        Raises:
            RequestError: it asks for what may not be.
        """

    @abstractmethod
    def opening(self, first: str | bytes, base_url: str, model: str) -> str | bytes:
        """The same, with the provider's name of the model."""

    @abstractmethod
    def controls(
        self, rules: Rules, find: Callable[[str], Prompt | None], request: Request, canary: str = ""
    ) -> SessionControls:
        """What holds for one session.

        Raises:
            InvalidRequest: something cannot be held to in a session.
        """

    @abstractmethod
    def meter(self) -> Meter:
        """What follows one session."""

    @abstractmethod
    def speech(self) -> Speech:
        """What reads one session."""

    def error(self, error: RequestError, about: str | bytes = b"{}") -> str:
        """A frame that tells of an error.

        :param about: the client's frame that it is about.
        """
        try:
            event = _decode(about)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            event = None
        return _encode(self.speech().error(error, event)).decode()


def socket_url(base_url: str) -> str:
    """An address with the scheme of WebSockets."""
    return "ws" + base_url.removeprefix("http").rstrip("/")


class OpenAIRealtime(Realtime):
    """``/v1/realtime``."""

    endpoint = "realtime"
    dialects = frozenset({"openai_chat", "openai_responses"})
    named_inside = False
    forwarded = ("openai-beta", "openai-safety-identifier")

    def alias(self, query: str, first: str | bytes) -> str:
        """In the query, as ``model``."""
        named = dict(parse_qsl(query)).get("model", "")
        if not named:
            raise InvalidRequest("The query has no model: open /v1/realtime?model=...", param="model")
        return named

    def url(self, base_url: str, model: str, path: str, query: str) -> str:
        """Beside the provider's other endpoints; what else the query says goes along."""
        more = [(name, value) for name, value in parse_qsl(query) if name not in OURS]
        return f"{socket_url(base_url)}/realtime?{urlencode([('model', model), *more])}"

    def first(self, first: str | bytes, controls: SessionControls) -> str | bytes:
        """The gateway's own, if it has anything to say."""
        return controls.opening() or ""

    def opening(self, first: str | bytes, base_url: str, model: str) -> str | bytes:
        """Nothing in it is the model's."""
        return first

    def controls(
        self, rules: Rules, find: Callable[[str], Prompt | None], request: Request, canary: str = ""
    ) -> SessionControls:
        """Of instructions and parameters, of the session and of answers."""
        transcribes = dict(parse_qsl(request.query)).get("intent") == "transcription"
        return RealtimeControls(rules, find, canary, beta="openai-beta" in request.headers, transcribes=transcribes)

    def meter(self) -> Meter:
        """Of ``response.done``."""
        return OpenAIMeter()

    def speech(self) -> Speech:
        """By the kinds of its events."""
        return OpenAISpeech()


class GeminiLive(Realtime):
    """``BidiGenerateContent``, of the Gemini API and of Vertex."""

    endpoint = "live"
    dialects = frozenset({"gemini"})
    named_inside = True
    forwarded = ()

    def alias(self, query: str, first: str | bytes) -> str:
        """In the first frame, as ``setup.model``, with whatever stands before its name."""
        named = str(_setup(first).get("model") or "").rpartition("/")[2]
        if not named:
            raise InvalidRequest("The first frame has no setup.model.", param="setup.model")
        return named

    def url(self, base_url: str, model: str, path: str, query: str) -> str:
        """At the root of the provider's host, with the version that its base URL has."""
        parts = urlsplit(base_url)
        root, version = socket_url(f"{parts.scheme}://{parts.netloc}"), _version(parts.path)
        if "/projects/" in parts.path:
            return f"{root}/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent"
        return f"{root}/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"

    def first(self, first: str | bytes, controls: SessionControls) -> str | bytes:
        """``setup``."""
        setup = _setup(first)
        held = controls.setup(setup)
        return first if held == setup else _encode({**_decode(first), "setup": held}).decode()

    def opening(self, first: str | bytes, base_url: str, model: str) -> str | bytes:
        """``setup``, with the model as the provider names it."""
        found = re.search(r"/(projects/[^/]+/locations/[^/]+)", urlsplit(base_url).path)
        name = f"{found[1]}/publishers/google/models/{model}" if found else f"models/{model}"
        message = _decode(first)
        message["setup"]["model"] = name
        return _encode(message).decode()

    def controls(
        self, rules: Rules, find: Callable[[str], Prompt | None], request: Request, canary: str = ""
    ) -> SessionControls:
        """Of the setup."""
        return LiveControls(rules, find, canary)

    def meter(self) -> Meter:
        """Of ``usageMetadata``."""
        return GeminiMeter()

    def speech(self) -> Speech:
        """By the members of its messages."""
        return GeminiSpeech()


def _version(path: str) -> str:
    found = re.match(r"/(v\d+(?:alpha|beta)?\d*)(?:/|$)", path)
    return found[1] if found else "v1beta"


def _setup(first: str | bytes) -> dict[str, Any]:
    try:
        setup: Any = _decode(first)["setup"]
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError, TypeError):
        setup = None
    if not isinstance(setup, dict):
        raise InvalidRequest("The first frame is no setup message.", param="setup")
    return setup


LIVE_PATHS = re.compile(
    r"/ws/google\.(?:ai\.generativelanguage\.v\w+\.GenerativeService\.|"
    r"cloud\.aiplatform\.v\w+\.LlmBidiService/)BidiGenerateContent"
)
OPENAI_PATHS = frozenset({"/v1/realtime", "/openai/v1/realtime"})


def protocol_of(path: str) -> Realtime:
    """The protocol of a path.

    Raises:
        NotFound: no session is opened there.
    """
    if path in OPENAI_PATHS:
        return OpenAIRealtime()
    if LIVE_PATHS.fullmatch(path):
        return GeminiLive()
    raise NotFound(f"No WebSocket is served at {path}.")
