"""Questions in other words, found by the vectors of a provider's model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cache.test_semantic import LAMP, OTHER, SAME, ask, config, told
from tests.gateway.upstream import Connection, Upstream, answer, chat_answer, expect
from tests.routing.test_apart import rows_of
from tests.served import Serve, Served

from dragoman.core import Embedder
from dragoman.errors import ConfigError

Vector = Callable[[str], list[float]]
SPELLING = Embedder.spelling(64).embed


@pytest.fixture
def model() -> Iterator[Upstream]:
    """The provider of vectors."""
    with Upstream() as started:
        yield started


def vectors(embed: Vector = SPELLING) -> Callable[[Connection], None]:
    """The step that answers with the vector of what was asked for."""

    def step(connection: Connection) -> None:
        assert connection.request is not None
        (text,) = [connection.request.json["input"]]
        data = [{"object": "embedding", "index": 0, "embedding": embed(text)}]
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        body = {"object": "list", "data": data, "model": "v", "usage": usage}
        answer(json.dumps(body).encode())(connection)

    return step


def by_model(upstream: Upstream, *models: Upstream, **cache: Any) -> dict[str, Any]:
    made = config(upstream)
    for number, one in enumerate(models):
        made["providers"][f"v{number}"] = {**made["providers"]["up0"], "base_url": one.base_url}
        price = {"input_usd_mtok": 1.0, "output_usd_mtok": 0.0}
        made["deployments"][f"v{number}"] = {"provider": f"v{number}", "model": "vector-model", "price": price}
    made["routes"]["vectors"] = {"tiers": [[f"v{number}"] for number in range(len(models))], "strategy": "priority"}
    made["cache"] |= {"embedding": "vectors"} | cache
    made["defaults"] = {"retries": 0}
    return made


def test_a_question_is_found_by_them(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors())
    served = serve(by_model(upstream, model))
    seen = rows_of(served)
    assert told(ask(served, LAMP), ask(served, SAME), ask(served, OTHER)) == ["miss", "semantic", "miss"]
    assert [request.json["input"] for request in model.requests] == [LAMP, SAME, OTHER]
    own = [row for row in seen if row.endpoint == "cache"]
    assert [(row.status, row.alias, row.cost_nanousd) for row in own] == [(200, "vectors", 7_000)] * 3
    assert {row.key_id for row in seen} == {own[0].key_id}, "it is the tenant's"


def test_the_same_again_needs_none(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors())
    served = serve(by_model(upstream, model))
    assert told(ask(served, LAMP), ask(served, LAMP)) == ["miss", "hit"]
    assert len(model.requests) == 1


BAD: list[tuple[Any, ...]] = [
    (expect, answer(b'{"error": {"message": "broken"}}', 500)),
    (expect, answer(b'{"error": {"message": "slow down"}}', 429)),
    (expect, answer(b"not json")),
    (expect, answer(b'{"object": "list", "data": []}')),
    (expect, answer(b'{"object": "list", "data": [{"index": 0, "embedding": "?"}]}')),
    (expect, vectors(lambda _: [])),
    (expect, vectors(lambda _: [0.0, 0.0])),
    (expect, vectors(lambda _: [1e39, 1.0])),
    (expect,),  # no answer at all
]


@pytest.mark.parametrize("steps", BAD)
def test_where_there_is_no_vector_it_is_a_miss(
    serve: Serve, upstream: Upstream, model: Upstream, steps: tuple[Any, ...]
) -> None:
    model.reply(*steps)
    served = serve(by_model(upstream, model, embedding_timeout_s=0.2))
    answers = [ask(served, LAMP), ask(served, SAME)]
    assert [one.status for one in answers] == [200, 200]
    assert told(*answers) == ["miss", "miss"]


def test_vectors_of_another_model_are_never_compared(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    """Not even of one length: the first model's are nearer to the second's than any of its own."""
    model.reply(expect, vectors(lambda _: [1.0, 0.0]))
    model.reply(expect, answer(b"{}", 500))
    model.reply(expect, vectors(lambda _: [1.0, 0.0]))
    with Upstream() as second:
        second.reply(expect, vectors(lambda _: [1.0, 0.0]))
        served = serve(by_model(upstream, model, second))
        assert told(ask(served, LAMP), ask(served, SAME)) == ["miss", "miss"]
        assert told(ask(served, f" {SAME}")) == ["semantic"]


def test_vectors_of_another_length_are_never_compared(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors(lambda _: [1.0, 0.0]))
    model.reply(expect, vectors(lambda _: [1.0, 0.0, 0.0]))
    served = serve(by_model(upstream, model))
    assert told(ask(served, LAMP), ask(served, SAME)) == ["miss", "miss"]
    assert len(served.gateway.answers.semantics.index) == 2


def test_what_is_masked_is_masked_for_the_model_of_vectors(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors())
    made = by_model(upstream, model) | {"guardrails": {"pii": {"mask": {}}}}
    served = serve(made)
    assert told(ask(served, f"{LAMP} Mail ann@example.com")) == ["miss"]
    (request,) = model.requests
    assert b"ann@example.com" not in request.body


def test_over_a_restart(tmp_path: Path, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors())
    made = by_model(upstream, model, persist=True)
    with Served(made, tmp_path) as served:
        ask(served, LAMP)
    with Served(made, tmp_path) as served:
        assert told(ask(served, SAME)) == ["semantic"]
    made["cache"]["embedding"] = "spelling"
    with Served(made, tmp_path) as served:
        assert told(ask(served, SAME)) == ["miss"], "its vector is not how it would be found now"


def test_a_refreshed_answer_is_found(serve: Serve, upstream: Upstream, model: Upstream) -> None:
    model.reply(expect, vectors())
    upstream.reply(expect, answer(chat_answer("Old.")))
    upstream.reply(expect, answer(chat_answer("New.")))
    served = serve(by_model(upstream, model))
    ask(served, LAMP)
    assert told(ask(served, LAMP, {"cache_control": "no-cache"})) == ["refresh"]
    found = ask(served, SAME)
    assert (told(found), b"New." in found.body) == (["semantic"], True)


def test_a_name_that_is_none(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream)
    made["cache"]["embedding"] = "wordlama"
    with pytest.raises(ConfigError, match=r"cache\.embedding: is neither .*wordllama"):
        serve(made)
