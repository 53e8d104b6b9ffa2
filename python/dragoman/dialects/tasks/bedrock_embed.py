"""Embedding models behind Bedrock's InvokeModel: Amazon's Titan, which takes a text at a time, and Cohere's."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import parse_fields, pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks import cohere_embed
from dragoman.dialects.tasks.task import About, Embed, Task, Vectors, drop_unsaid
from dragoman.dialects.tasks.vectors import read_floats
from dragoman.errors import Untranslatable


def _is_cohere(model: str) -> bool:
    return "cohere.embed" in model


def read_request(body: bytes, at: Path) -> Embed:
    """Read a client's."""
    if _is_cohere(at.model):
        return cohere_embed.read_request(body, at)
    fields = parse_fields(body)
    text = fields.required("inputText", fields.maybe_text("inputText"))
    return Embed(model=at.model, inputs=(text,), dimensions=fields.integer("dimensions"), extra=pruned(fields.left))


def write_request(asked: Embed, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    path = f"/model/{quote(target.model, safe='')}/invoke"
    if _is_cohere(target.model):
        return Outgoing(path=path, body=msgspec.json.encode(cohere_embed.body_for(asked, losses)))
    texts = asked.only_texts(target.provider)
    drop_unsaid(asked, losses)
    asked.only_floats()
    if len(texts) != 1:
        raise Untranslatable("The model embeds one text at a time: send them one by one.", param="input")
    body = {"inputText": texts[0], "dimensions": asked.dimensions}
    return Outgoing(path=path, body=msgspec.json.encode(pruned(body)))


def read_answer(body: bytes, asked: Embed, target: Target) -> Vectors:
    """Read a provider's."""
    if _is_cohere(target.model):
        return cohere_embed.read_answer(body, asked, target)
    fields = parse_fields(body)
    tokens = fields.tokens("inputTextTokenCount")
    vector = read_floats(fields.take("embedding"), "embedding")
    return Vectors(model=target.model, floats=(vector,), usage=None if tokens is None else Usage(input=tokens))


def write_answer(answer: Vectors, asked: Embed, about: About) -> bytes:
    """Write a client's: of a model of Amazon's."""
    vector = answer.floats[0] if answer.floats else []
    return msgspec.json.encode({"embedding": vector, "inputTextTokenCount": about.usage.input})


TASK: Task[Embed, Vectors] = Task(
    name="bedrock_embed",
    errors="bedrock",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
