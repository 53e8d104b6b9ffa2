"""Cohere's embed, version 2."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Fields, Unreadable, parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import About, Embed, Picture, Purpose, Task, Truncate, Vectors, drop_unsaid
from dragoman.dialects.tasks.vectors import as_base64, read_floats
from dragoman.errors import Untranslatable

_PURPOSES: dict[str, Purpose] = {
    "search_document": "document",
    "search_query": "query",
    "classification": "classification",
    "clustering": "clustering",
    "image": "image",
}
_INPUT_TYPES = {purpose: name for name, purpose in _PURPOSES.items()} | {
    "": "search_document",
    "similarity": "clustering",
    "question": "search_query",
    "fact": "search_query",
    "code": "search_query",
}
# What stands for something else than it says is told as a loss.
_NEAR = frozenset({"similarity", "question", "fact", "code"})
_TRUNCATE: dict[str, Truncate] = {"NONE": "none", "START": "start", "END": "end"}


def read_request(body: bytes, at: Path) -> Embed:
    """Read a client's."""
    fields = parse_fields(body)
    kind, cut = fields.text("input_type"), fields.text("truncate")
    if kind and kind not in _PURPOSES:
        raise fields.unknown("input_type", kind)
    if cut and cut.upper() not in _TRUNCATE:
        raise fields.unknown("truncate", cut)
    pictures = tuple(_picture(url, f"images[{index}]") for index, url in enumerate(fields.items("images")))
    inputs = (*fields.texts("texts"), *pictures, *(one for item in fields.each("inputs") for one in _mixed(item)))
    return Embed(
        model=at.model or fields.text("model"),
        inputs=inputs,
        dimensions=fields.integer("output_dimension"),
        purpose=_PURPOSES.get(kind, ""),
        truncate=_TRUNCATE.get(cut.upper(), ""),
        formats=fields.texts("embedding_types") or ("float",),
        max_tokens_each=fields.integer("max_tokens"),
        extra=pruned(fields.left),
    )


def _picture(url: Any, at: str) -> Picture:
    head, comma, data = url.partition(",") if type(url) is str else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise Unreadable(f"The field {at} is not a data URL.", at)
    return Picture(head[5:-7], data)


def _mixed(item: Fields) -> list[str | Picture]:
    """The one content of an input; several are one vector, which is Cohere's own."""
    parts = list(item.each("content"))
    if len(parts) != 1:
        raise Unreadable(f"The field {item.path('content')} has not one part.", item.path("content"))
    part = parts[0]
    if part.text("type") == "image_url":
        url = part.required("image_url", part.fields("image_url"))
        return [_picture(url.take("url"), url.path("url"))]
    return [part.text("text")]


def write_request(asked: Embed, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    return Outgoing(path="/embed", body=msgspec.json.encode({"model": target.model} | body_for(asked, losses)))


def body_for(asked: Embed, losses: Losses) -> dict[str, Any]:
    """The request but for the model, which Bedrock has elsewhere.

    Raises:
        Untranslatable: the inputs are of several kinds, or tokens.
    """
    drop_unsaid(asked, losses, "purpose", "truncate", "max_tokens_each")
    if asked.purpose in _NEAR:
        losses.approximate("purpose", f"as {_INPUT_TYPES[asked.purpose]}")
    pictures = [one.url for one in asked.inputs if isinstance(one, Picture)]
    if pictures and asked.texts:
        raise Untranslatable("The provider embeds texts or images, not both at once.", param="images")
    body = {
        "input_type": "image" if pictures else _INPUT_TYPES[asked.purpose],
        "texts": asked.texts or None,
        "images": pictures or None,
        "embedding_types": _asked_formats(asked.formats),
        "output_dimension": asked.dimensions,
        "truncate": asked.truncate.upper() or None,
        "max_tokens": asked.max_tokens_each,
    }
    return pruned(body)


def _asked_formats(formats: tuple[str, ...]) -> list[str]:
    """Base64 is made here, of floats."""
    return sorted({"float" if one == "base64" else one for one in formats})


def read_answer(body: bytes, asked: Embed, target: Target) -> Vectors:
    """Read a provider's."""
    fields = parse_fields(body)
    meta = fields.fields("meta")
    given = fields.take("embeddings")
    if type(given) is list:  # version 1 without types
        given = {"float": given}
    kinds = Fields(given, "embeddings")
    floats = tuple(
        read_floats(vector, f"embeddings.float[{index}]") for index, vector in enumerate(kinds.items("float"))
    )
    others = {name: kinds.items(name) for name in tuple(kinds.left)}
    return Vectors(model=target.model, floats=floats, others=others, usage=_usage(meta), id=fields.text("id"))


def _usage(meta: Fields | None) -> Usage | None:
    units = None if meta is None else meta.fields("billed_units")
    if units is None:
        return None
    texts, images = units.tokens("input_tokens"), units.tokens("image_tokens")
    return None if texts is None and images is None else Usage(input=(texts or 0) + (images or 0))


def write_answer(answer: Vectors, asked: Embed, about: About) -> bytes:
    """Write a client's."""
    embeddings: dict[str, Any] = dict(answer.others)
    if "float" in asked.formats:
        embeddings["float"] = answer.floats
    if "base64" in asked.formats:
        embeddings["base64"] = [as_base64(vector) for vector in answer.floats]
    told = {
        "id": answer.id or about.request_id,
        "embeddings": embeddings,
        "texts": asked.texts,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": about.usage.input}},
        "response_type": "embeddings_by_type",
    }
    return msgspec.json.encode(told)


TASK: Task[Embed, Vectors] = Task(
    name="cohere_embed",
    errors="cohere",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
