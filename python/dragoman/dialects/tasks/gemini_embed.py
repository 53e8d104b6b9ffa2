"""Gemini's embedContent and batchEmbedContents.

Each request of a batch names the model again, so none is passed on as it came: all are written anew, as a batch.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Fields, Unreadable, parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import About, Embed, Picture, Purpose, Task, Vectors, drop_unsaid
from dragoman.dialects.tasks.vectors import read_floats

PURPOSES: dict[str, Purpose] = {
    "RETRIEVAL_DOCUMENT": "document",
    "RETRIEVAL_QUERY": "query",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
    "SEMANTIC_SIMILARITY": "similarity",
    "QUESTION_ANSWERING": "question",
    "FACT_VERIFICATION": "fact",
    "CODE_RETRIEVAL_QUERY": "code",
}
TASK_TYPES = {purpose: name for name, purpose in PURPOSES.items()}
# Fields of one request that hold for all of them here.
_SHARED = ("taskType", "title", "outputDimensionality")


def read_request(body: bytes, at: Path) -> Embed:
    """Read a client's."""
    fields = parse_fields(body)
    single = at.action == "embedContent"
    requests = [fields] if single else list(fields.each("requests"))
    if not requests:
        raise Unreadable("The field requests is missing.", "requests")
    for name in _SHARED:
        if any(one.left.get(name) != requests[0].left.get(name) for one in requests):
            raise Unreadable(f"The requests differ in {name}: send each kind by itself.", f"requests[1].{name}")
    first = requests[0]
    config = first.fields("embedContentConfig") or first
    kind = config.text("taskType")
    inputs = tuple(_input(one) for one in requests)
    for name in ("model", "content"):
        first.take(name)
    return Embed(
        model=at.model,
        inputs=inputs,
        dimensions=config.integer("outputDimensionality"),
        purpose=PURPOSES.get(kind, ""),
        title=config.text("title"),
        single=single,
        extra=pruned(config.left),
    )


def _input(request: Fields) -> str | Picture:
    content = request.required("content", request.fields("content"))
    parts = list(content.each("parts"))
    if len(parts) == 1 and (inline := parts[0].fields("inlineData")) is not None:
        return Picture(inline.text("mimeType"), inline.text("data"))
    if not parts or any("text" not in part.left for part in parts):
        raise Unreadable(f"The field {content.path('parts')} is neither text nor one image.", content.path("parts"))
    return "\n".join(part.text("text") for part in parts)


def write_request(asked: Embed, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    name = target.model.removeprefix("models/")
    shared = shared_fields(asked, losses)
    requests = [
        {"model": f"models/{name}", "content": {"parts": [_part(one)]}, **_named(shared)} for one in asked.inputs
    ]
    path = f"/models/{quote(name, safe='/:@')}:batchEmbedContents"
    return Outgoing(path=path, body=msgspec.json.encode({"requests": requests}))


def shared_fields(asked: Embed, losses: Losses, *can: str) -> dict[str, Any]:
    """What is said of all inputs, in the canonical words; tells of what cannot be said.

    Raises:
        Untranslatable: the inputs are tokens, or vectors of another kind than floats are wanted.
    """
    asked.only_floats()
    drop_unsaid(asked, losses, "purpose", "title", *can)
    purpose = "" if asked.purpose == "image" else asked.purpose
    return pruned({"kind": TASK_TYPES.get(purpose), "title": asked.title or None, "dimensions": asked.dimensions})


def _named(shared: dict[str, Any]) -> dict[str, Any]:
    names = {"kind": "taskType", "title": "title", "dimensions": "outputDimensionality"}
    return {names[name]: value for name, value in shared.items()}


def _part(one: str | Picture) -> dict[str, Any]:
    if isinstance(one, Picture):
        return {"inlineData": {"mimeType": one.media_type, "data": one.data}}
    return {"text": one}


def read_answer(body: bytes, asked: Embed, target: Target) -> Vectors:
    """Read a provider's."""
    fields = parse_fields(body)
    alone = fields.fields("embedding")
    found = list(fields.each("embeddings")) if alone is None else [alone]
    floats = tuple(read_floats(one.take("values"), one.path("values")) for one in found)
    told = fields.fields("usageMetadata")
    tokens = None if told is None else told.tokens("promptTokenCount")
    return Vectors(model=target.model, floats=floats, usage=None if tokens is None else Usage(input=tokens))


def write_answer(answer: Vectors, asked: Embed, about: About) -> bytes:
    """Write a client's."""
    vectors = [{"values": vector} for vector in answer.floats]
    usage = {"usageMetadata": {"promptTokenCount": about.usage.input}}
    if asked.single and len(vectors) == 1:
        return msgspec.json.encode({"embedding": vectors[0]} | usage)
    return msgspec.json.encode({"embeddings": vectors} | usage)


TASK: Task[Embed, Vectors] = Task(
    name="gemini_embed",
    errors="gemini",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
