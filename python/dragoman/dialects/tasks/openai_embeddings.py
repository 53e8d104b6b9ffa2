"""OpenAI's embeddings, with the ``input_type`` that compatible providers (Voyage, NVIDIA) have added."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Fields, parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import About, Embed, Purpose, Task, Vectors, drop_unsaid
from dragoman.dialects.tasks.vectors import as_base64, read_floats

_PURPOSES: dict[str, Purpose] = {
    "document": "document",
    "passage": "document",
    "search_document": "document",
    "query": "query",
    "search_query": "query",
    "classification": "classification",
    "clustering": "clustering",
}
# ``user`` says who asks: it changes no vector.
_KNOWN_NOWHERE_ELSE = ("user", "stream")


def read_request(body: bytes, at: Path) -> Embed:
    """Read a client's."""
    fields = parse_fields(body)
    model = at.model or fields.text("model")
    asked = fields.left.get("input")
    tokens = type(asked) is list and bool(asked) and type(asked[0]) is not str
    inputs = () if tokens else fields.texts("input")
    purpose = _PURPOSES.get(fields.text("input_type"), "")
    encoding = fields.text("encoding_format", "float")
    return Embed(
        model=model,
        inputs=inputs,
        dimensions=fields.integer("dimensions"),
        purpose=purpose,
        formats=(encoding,),
        tokens=fields.items("input"),
        extra={name: value for name, value in fields.left.items() if name not in _KNOWN_NOWHERE_ELSE},
    )


def write_request(asked: Embed, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    drop_unsaid(asked, losses, "tokens")
    asked.only_floats()
    body = {
        "model": target.model,
        "input": asked.tokens or asked.only_texts(target.provider),
        "dimensions": asked.dimensions,
    }
    return Outgoing(path="/embeddings", body=msgspec.json.encode(pruned(body)))


def read_answer(body: bytes, asked: Embed, target: Target) -> Vectors:
    """Read a provider's."""
    fields = parse_fields(body)
    found = sorted(((one.integer("index") or 0, one) for one in fields.each("data")), key=lambda pair: pair[0])
    floats = tuple(read_floats(one.take("embedding"), one.path("embedding")) for _, one in found)
    return Vectors(model=fields.text("model") or target.model, floats=floats, usage=_usage(fields.fields("usage")))


def _usage(fields: Fields | None) -> Usage | None:
    tokens = None if fields is None else fields.tokens("prompt_tokens") or fields.tokens("total_tokens")
    return None if tokens is None else Usage(input=tokens)


def write_answer(answer: Vectors, asked: Embed, about: About) -> bytes:
    """Write a client's."""
    encoded = "base64" in asked.formats
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": as_base64(vector) if encoded else vector}
        for index, vector in enumerate(answer.floats)
    ]
    usage = {"prompt_tokens": about.usage.input, "total_tokens": about.usage.input}
    return msgspec.json.encode({"object": "list", "data": data, "model": answer.model, "usage": usage})


TASK: Task[Embed, Vectors] = Task(
    name="openai_embeddings",
    errors="openai_chat",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
