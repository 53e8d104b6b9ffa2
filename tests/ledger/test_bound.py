from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve

from dragoman.config.limiting import Accounting
from dragoman.config.schema import Hedge
from dragoman.core import RequestBody, TokenCount, TokenCounter
from dragoman.dialects.dialect import Path, Target
from dragoman.ledger.bound import MOST_TOKENS, Bound, bound_of, ceiling_cost
from dragoman.routing.call import Call
from dragoman.routing.plan import Deployment, Member, Plan, PlanTier
from dragoman.routing.surface import Surface
from dragoman.usage.price import Fixed, Rate, Rates

DOLLAR = 10**15  # a million tokens for a million dollars: a token costs a thousandth of a nano-dollar less than 10**9
RATES = Rates(Rate(input=1_000_000, output=3_000_000, cache_write=2_000_000, audio_output=9_000_000))
ACCOUNTING = Accounting()


def call(dialect: str = "openai_chat", *, marks: bool = False, task: str = "", **body: Any) -> Call:
    surface = Surface(endpoint="chat", dialect=dialect, native=lambda at, model: "/", counted="chat", task=task)
    raw = json.dumps({"model": "m"} | body).encode()
    return Call(
        endpoint="chat",
        path="",
        raw=raw,
        body=RequestBody(raw),
        knobs=None,  # type: ignore[arg-type]
        deadline_s=0,
        session="",
        headers=[],
        surface=surface,
        at=Path(),
        marks=marks,
    )


def deployment(rates: Rates | None = RATES, max_output: int | None = 100) -> Deployment:
    return Deployment(
        name="d",
        known_as="d",
        provider="p",
        model="m",
        domain="",
        timeouts=None,  # type: ignore[arg-type]
        counter=TokenCounter.for_model("gpt-4o"),
        find_rates=Fixed(rates),
        streams_usage=True,
        endpoints=frozenset(),
        dialects=("openai_chat",),
        written_for=Target(model="m", max_output=max_output),
    )


def plan(*deployments: Deployment, hedge: Hedge | None = None) -> Plan:
    def member(index: int, one: Deployment) -> Member:
        return Member(index=index, deployment=one, credential="", target=None, door=None)  # type: ignore[arg-type]

    members = {index: member(index, one) for index, one in enumerate(deployments)}
    tiers = (PlanTier(None, members),)  # type: ignore[arg-type]
    return Plan(alias="m", tiers=tiers, retries=0, deadline_s=1, session_by="key", hedge=hedge)


def counted(tokens: int, *, exact: bool = True) -> TokenCount:
    found = TokenCounter.for_model("gpt-4o" if exact else "nobody-knows").count_request(
        json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": " a" * (tokens - 7)}]}).encode(),
        model="gpt-4o" if exact else "nobody-knows",
        endpoint="chat",
    )
    assert found is not None
    assert found.exact is exact
    return found


def test_prompt_and_the_longest_answer_asked_for() -> None:
    ten = counted(10)
    assert ten.tokens == 10
    assert bound_of(call(max_tokens=7), plan(deployment()), ten, ACCOUNTING) == Bound(17, 7, 10 + 3 * 7)


@pytest.mark.parametrize(
    ("dialect", "body", "longest"),
    [
        ("openai_chat", {}, 100),
        ("openai_chat", {"max_tokens": 5, "max_completion_tokens": 9}, 9),
        ("openai_chat", {"max_tokens": 1000}, 100),
        ("openai_chat", {"max_tokens": 5, "n": 3}, 15),
        ("openai_chat", {"max_tokens": 5, "best_of": 4}, 20),
        ("openai_responses", {"max_output_tokens": 6}, 6),
        ("anthropic", {"max_tokens": 8}, 8),
        ("gemini", {"generationConfig": {"maxOutputTokens": 11, "candidateCount": 2}}, 22),
        ("gemini", {"generation_config": {"max_output_tokens": 12}}, 12),
        ("gemini", {"generationConfig": []}, 100),
        ("bedrock", {"inferenceConfig": {"maxTokens": 13}}, 13),
        ("ollama", {"options": {"num_predict": 14}}, 14),
        ("ollama", {"options": {"num_predict": -1}}, 100),
    ],
)
def test_how_long_an_answer_may_be(dialect: str, body: dict[str, Any], longest: int) -> None:
    assert bound_of(call(dialect, **body), plan(deployment()), counted(10), ACCOUNTING).output_tokens == longest


def test_a_model_of_which_nothing_is_known() -> None:
    unknown = deployment(max_output=None)
    assert bound_of(call(), plan(unknown), counted(10), Accounting(output_tokens=50)).output_tokens == 50
    assert bound_of(call(max_tokens=10**6), plan(unknown), counted(10), ACCOUNTING).output_tokens == 10**6
    for asks in (call(max_tokens=2**64 - 1), call("gemini", generationConfig={"maxOutputTokens": 10**30})):
        bound = bound_of(asks, plan(unknown), counted(10), ACCOUNTING)
        assert bound.output_tokens == MOST_TOKENS
        assert bound.cost_nanousd is not None
        assert bound.cost_nanousd < 2**63


def test_a_count_that_is_not_exact_is_taken_upwards() -> None:
    found = counted(80, exact=False)
    bound = bound_of(call(max_tokens=1), plan(deployment()), found, ACCOUNTING)
    assert bound.tokens - 1 >= found.tokens * 1.25
    assert bound_of(call(max_tokens=1), plan(deployment()), None, ACCOUNTING).tokens > 1


def test_the_dearest_deployment_counts_and_one_without_a_price_leaves_none() -> None:
    dear = deployment(Rates(Rate(input=5_000_000, output=5_000_000)), max_output=10)
    one = counted(10)
    assert bound_of(call(), plan(deployment(), dear), one, ACCOUNTING) == Bound(110, 100, 10 + 300)
    assert bound_of(call(max_tokens=1), plan(deployment(), dear), one, ACCOUNTING).cost_nanousd == 55
    assert bound_of(call(), plan(deployment(), deployment(None)), one, ACCOUNTING).cost_nanousd is None


def test_the_highest_price_that_a_token_may_have() -> None:
    ten, here = counted(10), plan(deployment())
    assert bound_of(call(max_tokens=1, marks=True), here, ten, ACCOUNTING).cost_nanousd == 23
    assert bound_of(call(max_tokens=1, cache_control={}), here, ten, ACCOUNTING).cost_nanousd == 23
    assert bound_of(call(max_tokens=1, modalities=["audio"]), here, ten, ACCOUNTING).cost_nanousd == 19


def test_two_beside_each_other_both_count() -> None:
    hedged = plan(deployment(), hedge=Hedge())
    assert bound_of(call(max_tokens=1, stream=True), hedged, counted(10), ACCOUNTING) == Bound(22, 2, 26, 2)
    assert bound_of(call(max_tokens=1), hedged, counted(10), ACCOUNTING) == Bound(11, 1, 13)


def test_vectors_have_no_tokens() -> None:
    assert bound_of(call(task="embed"), plan(deployment()), counted(10), ACCOUNTING) == Bound(10, 0, 10)


def test_what_is_passed_through_has_no_bound(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b"{}"))
    served = serve(config_for(upstream.base_url, limits={"x": {"cost_usd": 1}}))
    refused = served.ask("POST", "/v1/moderations", b'{"model": "up0/omni", "input": "x"}')
    assert (refused.status, refused.code) == (403, "unpriced_model")


def test_what_a_token_without_a_price_counts() -> None:
    assert ceiling_cost(10, Accounting(unpriced="ceiling", ceiling_usd_mtok=3)) == 30_000
    assert ceiling_cost(10, Accounting(unpriced="allow")) == 0
