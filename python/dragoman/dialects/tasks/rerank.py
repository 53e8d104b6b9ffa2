"""Rerank as Jina has it, and vLLM, Together and Cohere's version 1 with it: what most providers speak.

Version 2 of Cohere's echoes no documents, and says how many searches it bills; a client is answered with both.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Fields, parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import About, Place, Rank, Ranking, Task, drop_unsaid


def read_request(body: bytes, at: Path) -> Rank:
    """Read a client's."""
    fields = parse_fields(body)
    return Rank(
        model=at.model or fields.text("model"),
        query=fields.required("query", fields.maybe_text("query")),
        documents=tuple(_document(one) for one in fields.items("documents")),
        top=fields.integer("top_n"),
        max_tokens_each=fields.integer("max_tokens_per_doc"),
        echo=fields.flag("return_documents") or False,
        extra=pruned(fields.left),
    )


def _document(one: Any) -> str:
    """A document's text; one of several fields is read as what it is, JSON."""
    if type(one) is str:
        return one
    if type(one) is dict and type(one.get("text")) is str:
        return str(one["text"])
    return msgspec.json.encode(one).decode()


def write_request(asked: Rank, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    drop_unsaid(asked, losses)
    body = {"model": target.model, "query": asked.query, "documents": asked.documents, "top_n": asked.top}
    return Outgoing(path="/rerank", body=msgspec.json.encode(pruned(body)))


def read_answer(body: bytes, asked: Rank, target: Target) -> Ranking:
    """Read a provider's."""
    fields = parse_fields(body)
    places = tuple(read_place(one) for one in fields.each("results"))
    return Ranking(
        model=fields.text("model") or target.model,
        places=places,
        usage=read_usage(fields.fields("usage")),
        searches=_searches(fields.fields("meta")),
        id=fields.text("id"),
    )


def read_place(one: Fields) -> Place:
    """One result."""
    index = one.required("index", one.integer("index"))
    return Place(index, one.required("relevance_score", one.number("relevance_score")))


def read_usage(fields: Fields | None) -> Usage | None:
    """Tokens, where a provider bills by them."""
    tokens = None if fields is None else fields.tokens("total_tokens")
    return None if tokens is None else Usage(input=tokens)


def _searches(meta: Fields | None) -> int | None:
    units = None if meta is None else meta.fields("billed_units")
    return None if units is None else units.integer("search_units")


def write_answer(answer: Ranking, asked: Rank, about: About) -> bytes:
    """Write a client's."""
    results: list[dict[str, Any]] = []
    for place in answer.places:
        result: dict[str, Any] = {"index": place.index, "relevance_score": place.score}
        if asked.echo and 0 <= place.index < len(asked.documents):
            result["document"] = {"text": asked.documents[place.index]}
        results.append(result)
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": answer.searches or 1}}
    told = {
        "id": answer.id or about.request_id,
        "model": answer.model,
        "results": results,
        "usage": {"total_tokens": about.usage.input},
        "meta": meta,
    }
    return msgspec.json.encode(told)


TASK: Task[Rank, Ranking] = Task(
    name="rerank",
    errors="cohere",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
