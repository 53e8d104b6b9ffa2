"""Cohere's rerank, version 2."""

from __future__ import annotations

import msgspec

from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.fields import pruned
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.rerank import read_answer, read_request, write_answer
from dragoman.dialects.tasks.task import Rank, Ranking, Task, drop_unsaid


def write_request(asked: Rank, target: Target, losses: Losses) -> Outgoing:
    """Write a provider's."""
    drop_unsaid(asked, losses, "max_tokens_each")
    body = {
        "model": target.model,
        "query": asked.query,
        "documents": asked.documents,
        "top_n": asked.top,
        "max_tokens_per_doc": asked.max_tokens_each,
    }
    return Outgoing(path="/rerank", body=msgspec.json.encode(pruned(body)))


TASK: Task[Rank, Ranking] = Task(
    name="cohere_rerank",
    errors="cohere",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
)
