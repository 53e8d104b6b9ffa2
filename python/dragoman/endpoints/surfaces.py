"""The paths that clients generate by, in every dialect: one row each.

Where a request names its model in the path, the path says how; ``place`` takes it apart. Paths are what the official
SDKs send when nothing but their base URL is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote

from msgspec import Struct

from dragoman.dialects.dialect import Path
from dragoman.errors import NotFound
from dragoman.routing.surface import Surface

# The one action that streams; as one JSON array, unless its query asks for server-sent events.
STREAMED = "streamGenerateContent"
ANTHROPIC_HEADERS = ("anthropic-version", "anthropic-beta", "anthropic-workspace-id", "anthropic-user-profile-id")


def fixed(path: str) -> Callable[[Path, str], str]:
    """The native path of a dialect whose bodies name the model."""
    return lambda at, model: path


def gemini_path(at: Path, model: str) -> str:
    """Gemini's native path."""
    sse = "?alt=sse" if at.action == STREAMED else ""
    return f"/models/{quote(model.removeprefix('models/'), safe='/:@')}:{at.action}{sse}"


def claude_path(at: Path, model: str) -> str:
    """Vertex's native path for Claude."""
    return f"/models/{quote(model.removeprefix('models/'), safe='@:')}:{at.action}"


def bedrock_path(at: Path, model: str) -> str:
    """Bedrock's native path: a model's name is one segment of it, whatever is in it."""
    return f"/model/{quote(model, safe='')}/{at.action}"


CHAT = Surface(endpoint="chat", dialect="openai_chat", native=fixed("/chat/completions"), counted="chat")
COMPLETIONS = Surface(
    endpoint="completions",
    dialect="openai_chat",
    spoken="openai_completions",
    native=fixed("/completions"),
    counted="completions",
    translated=False,
)
EMBEDDINGS = Surface(
    endpoint="embeddings",
    dialect="openai_chat",
    spoken="openai_embeddings",
    native=fixed("/embeddings"),
    counted="embeddings",
    task="openai_embeddings",
)
RESPONSES = Surface(endpoint="responses", dialect="openai_responses", native=fixed("/responses"), stores=True)
MESSAGES = Surface(endpoint="messages", dialect="anthropic", native=fixed("/messages"), forwarded=ANTHROPIC_HEADERS)
GENERATE_CONTENT = Surface(endpoint="generateContent", dialect="gemini", native=gemini_path)
CONVERSE = Surface(endpoint="converse", dialect="bedrock", native=bedrock_path)
# Bodies of other models than Claude are their own; they reach Bedrock as they are.
INVOKE = Surface(endpoint="invoke", dialect="bedrock_invoke", native=bedrock_path, known_by="anthropic_version")

RAW_PREDICT = Surface(endpoint="rawPredict", dialect="vertex_claude", native=claude_path, forwarded=("anthropic-beta",))

COHERE = Surface(endpoint="cohere", dialect="cohere", native=fixed("/chat"))
OLLAMA = Surface(endpoint="ollama", dialect="ollama", native=fixed("/chat"), streams_by_default=True)
COHERE_EMBED = Surface(
    endpoint="embed", dialect="cohere", spoken="cohere_embed", native=fixed("/embed"), task="cohere_embed"
)
COHERE_RERANK = Surface(
    endpoint="rerank", dialect="cohere", spoken="cohere_rerank", native=fixed("/rerank"), task="cohere_rerank"
)
RERANK = Surface(endpoint="rerank", dialect="cohere", spoken="rerank", native=fixed("/rerank"), task="rerank")
EMBED_CONTENT = Surface(
    endpoint="embedContent",
    dialect="gemini",
    spoken="gemini_embed",
    native=gemini_path,
    task="gemini_embed",
    rewritten=True,
)
PREDICT = Surface(
    endpoint="predict", dialect="gemini", spoken="vertex_predict", native=gemini_path, task="vertex_predict"
)

# Paths that are the same for every model.
FIXED: dict[str, Surface] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v2/chat": COHERE,
    "/api/chat": OLLAMA,
    "/v2/embed": COHERE_EMBED,
    "/v2/rerank": COHERE_RERANK,
    "/v1/rerank": RERANK,
}


class Placed(Struct, frozen=True):
    """A request's place: which surface it is for, and what its path says."""

    surface: Surface
    at: Path


GEMINI_PATHS = re.compile(
    r"/(?:v1|v1beta|v1beta1|v1alpha)/(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/google/)?"
    r"models/(?P<model>.+):(?P<action>generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict)"
)
CLAUDE_PATHS = re.compile(
    r"/v1(?:beta1)?/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/"
    r"(?P<model>.+):(?P<action>rawPredict|streamRawPredict)"
)
BEDROCK_PATHS = re.compile(
    r"/model/(?P<model>.+)/(?P<action>converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)"
)
COUNTS = frozenset({"countTokens", "count-tokens"})
BY_ACTION = {
    "invoke": INVOKE,
    "invoke-with-response-stream": INVOKE,
    "embedContent": EMBED_CONTENT,
    "batchEmbedContents": EMBED_CONTENT,
    "predict": PREDICT,
    "rawPredict": RAW_PREDICT,
    "streamRawPredict": RAW_PREDICT,
}
_STREAMING = frozenset({STREAMED, "streamRawPredict", "converse-stream", "invoke-with-response-stream"})


def place(path: str) -> Placed | None:
    """The place of a path that names its model; ``None`` where it does not.

    Raises:
        NotFound: the model's name is written in a way that could be read as another path.
    """
    found = GEMINI_PATHS.fullmatch(path) or CLAUDE_PATHS.fullmatch(path) or BEDROCK_PATHS.fullmatch(path)
    if found is None:
        return None
    model, action = unquote(found["model"]), found["action"]
    if not model.isprintable() or ".." in model.split("/") or "//" in model or model != model.strip("/"):
        raise NotFound("The path's model is not a name.", code="model_not_found", param="model")
    surface = BY_ACTION.get(action, GENERATE_CONTENT if found.re is GEMINI_PATHS else CONVERSE)
    return Placed(surface, Path(model=model, stream=action in _STREAMING, action=action))


# Whose errors a path's clients read, by how it begins; OpenAI's everywhere else.
ERRORS: tuple[tuple[str, str], ...] = (
    ("/v1/messages", "anthropic"),
    ("/v1/responses", "openai_responses"),
    ("/v1/projects/", "gemini"),
    ("/v1beta", "gemini"),
    ("/v1alpha/", "gemini"),
    ("/model/", "bedrock"),
    ("/v2/", "cohere"),
    ("/api/", "ollama"),
    ("/v1/rerank", "cohere"),
)


def dialect_of(path: str) -> str:
    """The dialect that an error at a path is told in."""
    if path.startswith("/v1/models/") and GEMINI_PATHS.fullmatch(path):
        return "gemini"
    if "/publishers/anthropic/" in path:
        return "anthropic"
    return next((dialect for prefix, dialect in ERRORS if path.startswith(prefix)), "openai_chat")
