"""Vertex AI's ``:predict`` of embedding models, which is also what google-genai sends there."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Unreadable, parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.gemini_embed import PURPOSES, shared_fields
from dragoman.dialects.tasks.task import About, Embed, Task, Vectors
from dragoman.dialects.tasks.vectors import read_floats


def read_request(body: bytes, at: Path) -> Embed:
    """Read a client's."""
    fields = parse_fields(body)
    instances = list(fields.each("instances"))
    if not instances:
        raise Unreadable("The field instances is missing.", "instances")
    texts = tuple(one.required("content", one.maybe_text("content")) for one in instances)
    kind, title = instances[0].text("task_type"), instances[0].text("title")
    parameters = fields.fields("parameters")
    dimensions = cut = None
    if parameters is not None:
        dimensions, cut = parameters.integer("outputDimensionality"), parameters.flag("autoTruncate")
    return Embed(
        model=at.model,
        inputs=texts,
        dimensions=dimensions,
        purpose=PURPOSES.get(kind, ""),
        title=title,
        truncate="none" if cut is False else "",
    )


def write_request(asked: Embed, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    texts = asked.only_texts(target.provider)
    cut = {"none": False, "end": True}.get(asked.truncate)
    shared = shared_fields(asked, losses, *(() if cut is None else ("truncate",)))
    each = pruned({"task_type": shared.get("kind"), "title": shared.get("title")})
    parameters = pruned({"outputDimensionality": shared.get("dimensions"), "autoTruncate": cut})
    body: dict[str, Any] = {"instances": [{"content": text} | each for text in texts]}
    if parameters:
        body["parameters"] = parameters
    path = f"/models/{quote(target.model.removeprefix('models/'), safe='/:@')}:predict"
    return Outgoing(path=path, body=msgspec.json.encode(body))


def read_answer(body: bytes, asked: Embed, target: Target) -> Vectors:
    """Read a provider's."""
    floats: list[list[float]] = []
    tokens: list[int] = []
    for one in parse_fields(body).each("predictions"):
        told = one.required("embeddings", one.fields("embeddings"))
        floats.append(read_floats(told.take("values"), told.path("values")))
        statistics = told.fields("statistics")
        tokens.append((statistics.tokens("token_count") if statistics else None) or 0)
    usage = Usage(input=sum(tokens)) if all(tokens) else None
    return Vectors(model=target.model, floats=tuple(floats), usage=usage)


def write_answer(answer: Vectors, asked: Embed, about: About) -> bytes:
    """Write a client's; what each text is in tokens is known of one alone."""
    statistics = {"statistics": {"token_count": about.usage.input, "truncated": False}}
    each = statistics if len(answer.floats) == 1 else {}
    return msgspec.json.encode({"predictions": [{"embeddings": {"values": one} | each} for one in answer.floats]})


TASK: Task[Embed, Vectors] = Task(
    name="vertex_predict",
    errors="gemini",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
