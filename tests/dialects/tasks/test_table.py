"""Every wire format of vectors and rankings to every other of its kind."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from tests.dialects.tasks.samples import DOCUMENTS, EMBED, PLACES, RERANK, TEXTS, TOKENS, VECTORS

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.table import TASKS, spoken_by
from dragoman.dialects.tasks.task import About, Embed, Rank
from dragoman.errors import Untranslatable

TARGET = Target(model="theirs", provider="p")
ABOUT = About("req_1", Usage(input=TOKENS))
AT = Path(model="m", action="batchEmbedContents")


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def asked(name: str) -> Any:
    _, body, _ = (EMBED | RERANK)[name]
    return TASKS[name].read_request(encoded(body), AT)


@pytest.mark.parametrize(("client", "provider"), list(product(EMBED, EMBED)))
def test_vectors_reach_every_client(client: str, provider: str) -> None:
    losses = Losses()
    request = asked(client)
    outgoing = TASKS[provider].write_request(request, TARGET, losses)
    again = TASKS[provider].read_request(outgoing.body, Path(model="theirs", action="batchEmbedContents"))
    assert list(again.inputs) == TEXTS
    answer = TASKS[provider].read_answer(encoded(EMBED[provider][2]), request, TARGET)
    told = TASKS[client].read_answer(TASKS[client].write_answer(answer, request, ABOUT), request, TARGET)
    assert list(told.floats) == VECTORS
    assert answer.usage == Usage(input=TOKENS)
    if client != "vertex_predict":
        assert told.usage == answer.usage


@pytest.mark.parametrize(("client", "provider"), list(product(RERANK, RERANK)))
def test_rankings_reach_every_client(client: str, provider: str) -> None:
    request = asked(client)
    outgoing = TASKS[provider].write_request(request, TARGET, Losses())
    again = TASKS[provider].read_request(outgoing.body, Path())
    assert (again.model, again.query, list(again.documents), again.top) == ("theirs", "Germany?", DOCUMENTS, 2)
    answer = TASKS[provider].read_answer(encoded(RERANK[provider][2]), request, TARGET)
    told = TASKS[client].read_answer(TASKS[client].write_answer(answer, request, ABOUT), request, TARGET)
    assert [{"index": one.index, "relevance_score": one.score} for one in told.places] == PLACES


def test_a_provider_is_asked_in_its_best_of_the_same_kind() -> None:
    dialects = ("gemini", "gemini_embed", "openai_embeddings", "rerank")
    assert spoken_by(dialects, "cohere_embed") is TASKS["gemini_embed"]
    assert spoken_by(dialects, "cohere_rerank") is TASKS["rerank"]
    assert spoken_by(("openai_chat",), "rerank") is None


TRASH = [None, 1, "a", [], {}, [1], {"a": 1}, True, 1e300, "\ud800".encode("utf-8", "replace").decode()]


@pytest.mark.parametrize("name", [*EMBED, *RERANK])
def test_whatever_stands_in_a_field_is_read_or_refused(name: str) -> None:
    _, body, answer = (EMBED | RERANK)[name]
    request = asked(name)
    for spoilt in [*spoils(body), b"", b"[]", b"{", b"null"]:
        try:
            read = TASKS[name].read_request(spoilt, AT)
            TASKS[name].write_request(read, TARGET, Losses())
        except (Unreadable, Untranslatable):
            continue
        assert isinstance(read, Embed | Rank)
    for spoilt in [*spoils(answer), b"", b"[]", b"{", b"null"]:
        try:
            told = TASKS[name].read_answer(spoilt, request, TARGET)
        except Unreadable:
            continue
        assert json.loads(TASKS[name].write_answer(told, request, ABOUT))


def spoils(body: Any) -> list[bytes]:
    """Copies of a body with one place in it set to something else, every place in turn."""
    return [encoded(one) for one in _spoils(body)]


def _spoils(value: Any) -> list[Any]:
    found: list[Any] = list(TRASH)
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [value | {name: spoilt} for spoilt in _spoils(inner)]
            found.append({other: kept for other, kept in value.items() if other != name})
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += [[*value[:index], spoilt, *value[index + 1 :]] for spoilt in _spoils(inner)]
    return found
