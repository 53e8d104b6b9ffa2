"""Voyage's rerank."""

from __future__ import annotations

import msgspec

from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks import rerank
from dragoman.dialects.tasks.task import About, Rank, Ranking, Task, drop_unsaid


def read_request(body: bytes, at: Path) -> Rank:
    """Read a client's."""
    asked = rerank.read_request(body, at)
    fields = parse_fields(body)
    rest = {name: value for name, value in asked.extra.items() if name != "top_k"}
    return msgspec.structs.replace(asked, top=fields.integer("top_k"), extra=rest)


def write_request(asked: Rank, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    drop_unsaid(asked, losses)
    body = {"model": target.model, "query": asked.query, "documents": asked.documents, "top_k": asked.top}
    return Outgoing(path="/rerank", body=msgspec.json.encode(pruned(body)))


def read_answer(body: bytes, asked: Rank, target: Target) -> Ranking:
    """Read a provider's."""
    fields = parse_fields(body)
    places = tuple(rerank.read_place(one) for one in fields.each("data"))
    usage = rerank.read_usage(fields.fields("usage"))
    return Ranking(model=fields.text("model") or target.model, places=places, usage=usage)


def write_answer(answer: Ranking, asked: Rank, about: About) -> bytes:
    """Write a client's."""
    told = dict(enumerate(asked.documents)) if asked.echo else {}
    data = [
        pruned({"index": place.index, "relevance_score": place.score, "document": told.get(place.index)})
        for place in answer.places
    ]
    usage = {"total_tokens": about.usage.input}
    return msgspec.json.encode({"object": "list", "data": data, "model": answer.model, "usage": usage})


TASK: Task[Rank, Ranking] = Task(
    name="voyage_rerank",
    errors="openai_chat",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
