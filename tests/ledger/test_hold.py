from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from tests.cache.test_serve import hang_up
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Step, Upstream, answer, chat_answer, expect, hold, stream, until
from tests.served import Serve, Served, chat_body
from tests.store.valkey import new_prefix

from dragoman.access.secret import create_secret
from dragoman.access.stored import change_key, create_key
from dragoman.config.entities import Team
from dragoman.config.limiting import Limit
from dragoman.config.schema import Key
from dragoman.store.entities import create_entity

CHAT = "/v1/chat/completions"
PRICE = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
Limited = Callable[..., Served]


@pytest.fixture(params=["here", "redis"])
def shared(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where limits are counted: in the process, and in Redis."""
    if request.param == "here":
        return {}
    return {"redis": {"url": request.getfixturevalue("valkey"), "prefix": new_prefix(), "timeout_s": 1}}


@pytest.fixture
def limited(serve: Serve, upstream: Upstream, shared: dict[str, Any]) -> Limited:
    """A gateway with limits, before a provider that answers with 9 and 3 tokens: 39 micro-dollars."""

    def start(limits: dict[str, Any], *steps: Step, **fields: Any) -> Served:
        upstream.reply(expect, *(steps or (answer(),)))
        fields = shared | fields
        config = config_for(upstream.base_url, limits=limits, **fields)
        config["deployments"]["up0"]["price"] = PRICE
        return serve(config)

    return start


def used(served: Served) -> list[tuple[str, int, int]]:
    book = served.gateway.book
    standings = book.ledger.standings()
    return sorted((book.rule(one.rule).measure, one.spent, one.held) for one in standings)


def test_requests_are_counted_and_the_answer_says_what_is_left(limited: Limited) -> None:
    served = limited({"pace": {"requests": 2, "per": "minute"}, "wide": {"requests": 9, "per": "hour"}})
    first = served.chat()
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-reset-requests"].startswith("1m")
    assert served.chat(stream=True).headers["x-ratelimit-remaining-requests"] == "0"
    refused = served.chat()
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert refused.json["error"]["type"] == "rate_limit_error"
    assert "'pace' is 2 requests a minute" in refused.json["error"]["message"]
    assert 55_000 < int(refused.headers["retry-after-ms"]) < 62_000
    assert served.row(refused).fault == "client"
    assert served.gateway.holds.refused == {"pace": 1}
    assert used(served) == [("requests", 2, 0), ("requests", 2, 0)]


def test_money_is_settled_at_what_it_came_to(limited: Limited) -> None:
    served = limited({"money": {"cost_usd": 0.001, "per": "day"}, "tokens": {"tokens": 1000, "per": "day"}})
    assert served.chat(max_tokens=50).status == 200
    assert used(served) == [("cost", 39_000, 0), ("tokens", 12, 0)]
    refused = served.chat(max_tokens=100)
    assert (refused.status, refused.code) == (429, "budget_exceeded")
    assert refused.json["error"]["type"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    assert "spent or held" in refused.json["error"]["message"]
    assert served.chat(max_tokens=50).status == 200
    assert used(served) == [("cost", 78_000, 0), ("tokens", 24, 0)]


def test_a_limit_that_a_request_can_never_keep_says_so(limited: Limited) -> None:
    served = limited({"tokens": {"tokens": 20, "per": "minute"}})
    refused = served.chat(max_tokens=50)
    assert "this request may come to" in refused.json["error"]["message"]
    assert "retry-after" not in refused.headers


@pytest.mark.parametrize("body", [{}, {"stream": True}])
def test_a_client_that_leaves_pays_for_what_was_sent(
    limited: Limited, upstream: Upstream, body: dict[str, Any]
) -> None:
    served = limited({"at-once": {"concurrent": 1}, "money": {"cost_usd": 1}}, hold)
    request = served.begin("POST", CHAT, json.dumps({"model": "chat", "messages": [], **body}).encode())
    upstream.received()
    refused = served.chat()
    assert (refused.status, "same time" in refused.json["error"]["message"]) == (429, True)
    hang_up(served, request)
    request.wait()
    assert [one for one in used(served) if one[0] == "concurrent"] == [("concurrent", 0, 0)]
    assert served.gateway.book.ledger.held == 0


def test_a_failure_gives_back_what_it_did_not_use(limited: Limited) -> None:
    refusal = answer(b'{"error": {"message": "no"}}', status=400)
    served = limited({"money": {"cost_usd": 1}, "pace": {"requests": 5, "per": "minute"}}, refusal)
    assert served.chat().status == 400
    assert used(served) == [("cost", 0, 0), ("requests", 1, 0)]


def test_an_answer_that_is_kept_costs_nothing(limited: Limited) -> None:
    served = limited({"money": {"cost_usd": 1}, "pace": {"requests": 5, "per": "minute"}}, cache={"mode": "on"})
    assert [served.chat().headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "hit"]
    assert used(served) == [("cost", 39_000, 0), ("requests", 2, 0)]


def test_a_limit_in_shadow_refuses_nobody_and_says_so(limited: Limited) -> None:
    served = limited({"soft": {"requests": 1, "per": "minute", "mode": "shadow"}})
    assert "x-dragoman-limits-shadowed" not in served.chat().headers
    second = served.chat()
    assert (second.status, second.headers["x-dragoman-limits-shadowed"]) == (200, "soft")
    assert served.gateway.holds.shadowed == {"soft": 1}
    assert "x-ratelimit-limit-requests" not in second.headers


def test_anthropic_s_clients_are_told_in_its_words(limited: Limited) -> None:
    served = limited({"pace": {"requests": 1, "per": "minute"}})
    body = json.dumps({"model": "chat", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
    told = served.ask("POST", "/v1/messages", body)
    assert (told.status, told.headers["anthropic-ratelimit-requests-remaining"]) == (200, "0")
    refused = served.ask("POST", "/v1/messages", body)
    assert (refused.status, refused.json["error"]["type"]) == (429, "rate_limit_error")


def test_a_provider_s_limits_are_not_shown_as_ours(limited: Limited) -> None:
    told = answer(x_ratelimit_remaining_requests="77")
    served = limited({}, told)
    assert served.chat().headers["x-ratelimit-remaining-requests"] == "77"
    served.gateway.book.declare({"pace": Limit(requests=3, per="minute")})
    assert served.chat().headers["x-ratelimit-remaining-requests"] == "2"


def key(**fields: Any) -> dict[str, Any]:
    return {"name": "k", "secret": create_secret()} | fields


def test_a_key_s_own_limits(limited: Limited) -> None:
    one = key(budget_usd=0.0005, budget_per="ever", requests_per_minute=2)
    served = limited({}, keys=[one, key(name="other", secret=create_secret())])
    headers = {"authorization": f"Bearer {one['secret']}"}
    assert served.chat(headers=headers, max_tokens=5).status == 200
    refused = served.chat(headers=headers, max_tokens=100)
    assert "The budget of this key is $0.0005, of which $0.000039 is" in refused.json["error"]["message"]
    assert served.chat(headers=headers, max_tokens=5).status == 200
    assert (
        "The limit of this key is 2 requests a minute"
        in served.chat(headers=headers, max_tokens=5).json["error"]["message"]
    )


def test_what_one_request_may_come_to(limited: Limited) -> None:
    one = key(max_request_usd=0.0005)
    served = limited({}, keys=[one])
    headers = {"authorization": f"Bearer {one['secret']}"}
    assert served.chat(headers=headers, max_tokens=10).status == 200
    refused = served.chat(headers=headers, max_tokens=1000)
    assert (refused.status, refused.code, refused.json["error"]["param"]) == (
        403,
        "request_too_expensive",
        "max_tokens",
    )


@pytest.mark.parametrize(
    ("accounting", "status", "spent"),
    [({}, 403, 0), ({"unpriced": "allow"}, 200, 0), ({"unpriced": "ceiling", "ceiling_usd_mtok": 2}, 200, 24_000)],
)
def test_models_without_a_price(
    serve: Serve, upstream: Upstream, accounting: dict[str, Any], status: int, spent: int
) -> None:
    upstream.reply(expect, answer())
    config = config_for(upstream.base_url, limits={"money": {"cost_usd": 1}}, ledger=accounting)
    config["deployments"]["up0"]["model"] = "nobody-knows-this-model"
    served = serve(config)
    answered = served.chat()
    assert answered.status == status
    if status == 403:
        assert (answered.code, used(served)) == ("unpriced_model", [("cost", 0, 0)])
    else:
        assert used(served) == [("cost", spent, 0)]


def test_a_budget_that_cannot_be_written_down_is_not_spent(limited: Limited) -> None:
    served = limited({"money": {"cost_usd": 1}})
    with served.gateway.store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    refused = served.chat()
    assert (refused.status, refused.code) == (503, "budget_unavailable")
    assert "ledger: the database" in served.ask("GET", "/readyz").json["degraded"][0]
    with served.gateway.store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    assert served.chat().status == 200


def test_limits_that_change_hold_from_the_next_request_on(limited: Limited) -> None:
    served = limited({"pace": {"requests": 1, "per": "minute"}})
    assert [served.chat().status for _ in range(2)] == [200, 429]
    served.gateway.book.declare({"pace": Limit(requests=2, per="minute")})
    assert [served.chat().status for _ in range(2)] == [200, 429]


def test_n6_what_is_under_way_settles_where_it_was_held(limited: Limited, upstream: Upstream) -> None:
    gate = threading.Event()
    served = limited({"teams": {"of": ["team"], "cost_usd": 1}}, until(gate), answer())
    engine = served.gateway.store.engine
    for team in ("here", "there"):
        create_entity(engine, Team(name=team), now_ms=1)
    made = create_key(engine, served.gateway.pepper, Key(name="moves", team="here"), now_ms=1)
    served.gateway.keys.refresh()
    headers = {"authorization": f"Bearer {made.secret}"}
    under_way = served.begin("POST", CHAT, chat_body(max_tokens=5), **headers)
    upstream.received()
    assert change_key(engine, made.key, Key(name="moves", team="there")) is not None
    served.gateway.keys.refresh()
    gate.set()
    assert under_way.wait().status == 200
    assert served.chat(headers, max_tokens=5).status == 200
    standings = served.gateway.book.ledger.standings()
    assert [(one.spent, one.held) for one in standings] == [(39_000, 0)] * 2
    assert sorted(one.who.rpartition("/")[2] for one in standings) == ["here", "there"]


def test_n9_streams_that_end_together_never_pass_a_limit_of_tokens(limited: Limited, upstream: Upstream) -> None:
    gate, most, each = threading.Event(), 200, 30  # a prompt of 10 tokens, and 20 at most of an answer
    served = limited({"tokens": {"tokens": most, "per": "hour"}}, until(gate), stream())
    begun = [served.begin("POST", CHAT, chat_body(stream=True, max_tokens=20)) for _ in range(40)]
    upstream.received(most // each)
    held = [spent_and_held[1:] for spent_and_held in used(served)]
    gate.set()
    statuses = [one.wait().status for one in begun]
    assert (statuses.count(200), statuses.count(429)) == (most // each, 40 - most // each)
    assert held == [(0, each * (most // each))]
    assert used(served) == [("tokens", 12 * (most // each), 0)]


def test_a_stream_is_settled_by_its_usage(limited: Limited) -> None:
    served = limited({"money": {"cost_usd": 1}}, stream())
    assert served.chat(stream=True).status == 200
    assert used(served) == [("cost", 39_000, 0)]


def test_a_ledger_that_is_full_says_so(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    served = limited({"users": {"of": ["end_user"], "requests": 5, "per": "minute"}})

    def full(asker: object) -> None:
        raise OverflowError("limits are counted for too many names at a time")

    monkeypatch.setattr(served.gateway.book, "scope", full)
    refused = served.chat(user="eve")
    assert (refused.status, refused.code) == (503, "ledger_full")


def test_a_provider_s_limits_are_told_beside_a_shadow(limited: Limited) -> None:
    limits = {"soft": {"requests": 1, "per": "minute", "mode": "shadow"}}
    told = answer(b'{"error": {"message": "no"}}', status=400, x_ratelimit_remaining_requests="7")
    served = limited(limits, told)
    served.chat()
    second = served.chat()
    assert second.headers["x-dragoman-limits-shadowed"] == "soft"
    assert second.headers["x-ratelimit-remaining-requests"] == "7"


def test_the_answer_in_these_tests() -> None:
    assert json.loads(chat_answer())["usage"]["total_tokens"] == 12
