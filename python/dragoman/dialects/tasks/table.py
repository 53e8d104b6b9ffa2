"""All wire formats of vectors and of rankings, by kind: within one, any client's reaches any provider's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dragoman.dialects.tasks import (
    bedrock_embed,
    cohere_embed,
    cohere_rerank,
    gemini_embed,
    openai_embeddings,
    rerank,
    vertex_predict,
    voyage_rerank,
)
from dragoman.dialects.tasks.task import Task

_EMBED = (openai_embeddings, cohere_embed, gemini_embed, vertex_predict, bedrock_embed)
_RERANK = (rerank, cohere_rerank, voyage_rerank)
_KINDS = ({module.TASK.name: module.TASK for module in _EMBED}, {module.TASK.name: module.TASK for module in _RERANK})

TASKS: Mapping[str, Task[Any, Any]] = {name: task for kind in _KINDS for name, task in kind.items()}


def spoken_by(dialects: tuple[str, ...], name: str) -> Task[Any, Any] | None:
    """What a provider of these dialects is asked in, for a client's format: its best of the same kind."""
    kind = next(kind for kind in _KINDS if name in kind)
    return next((kind[dialect] for dialect in dialects if dialect in kind), None)
