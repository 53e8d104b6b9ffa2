from __future__ import annotations

import time
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, Served

from dragoman.access.secret import create_secret

KEYS = [{"name": name, "secret": create_secret(), "team": "shop", "budget_usd": 5} for name in ("one", "two")]
HEADERS = [{"authorization": f"Bearer {key['secret']}"} for key in KEYS]


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    upstream.reply(expect, answer())
    limits = {"shop": {"of": ["team"], "requests": 9, "per": "hour"}}
    config = config_for(upstream.base_url, keys=KEYS, limits=limits)
    config["deployments"]["up0"]["price"] = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
    return serve(config)


def asked(served: Served, query: str = "", who: int = 0) -> Any:
    return served.ask("GET", f"/v1/usage{query}", b"", **HEADERS[who]).json


def test_a_key_sees_its_own_and_what_its_limits_stand_at(served: Served) -> None:
    for headers in (HEADERS[0], HEADERS[0], HEADERS[1]):
        assert served.chat(headers=headers, max_tokens=5).status == 200
    while served.gateway.writer.written < 3:
        time.sleep(0.01)
    told = asked(served, "?by=model,day")
    assert (told["whole"]["requests"], told["whole"]["cost_usd"]) == (2, "0.000078000")
    assert [(group["model"], group["requests"]) for group in told["groups"]] == [("gpt-4o-mini", 2)]
    limits = {one["limit"]: one for one in told["limits"]}
    assert (limits["key"]["measure"], limits["key"]["most"], limits["key"]["spent"]) == (
        "usd",
        "5.000000000",
        "0.000078000",
    )
    assert (limits["shop"]["of"], limits["shop"]["spent"], limits["shop"]["mode"]) == ("shop", 3, "enforce")
    assert limits["key"]["resets_s"] > 0
    assert asked(served, who=1)["whole"]["requests"] == 1
    assert asked(served, "?until=2020-01-01&since=2019-01-01")["whole"]["requests"] == 0


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?by=planet", "by"),
        ("?since=never", "since"),
        ("?until=x", "until"),
        ("?planet=a", "planet"),
        ("?status=4xx", "status"),
        ("?by=team&by=user", "by"),
        ("?format=xml", "format"),
    ],
)
def test_what_is_no_question_says_why(served: Served, query: str, param: str) -> None:
    refused = served.ask("GET", f"/v1/usage{query}", b"", **HEADERS[0])
    assert (refused.status, refused.json["error"]["param"]) == (400, param)


def test_filters_narrow_what_is_a_keys_own(served: Served) -> None:
    for headers in HEADERS:
        assert served.chat(headers=headers, max_tokens=5).status == 200
    while served.gateway.writer.written < 2:
        time.sleep(0.01)
    for query, count in (("?team=shop", 1), ("?team=other", 0), ("?key=two", 0), ("?model=gpt-4o-mini&status=200", 1)):
        assert asked(served, query)["whole"]["requests"] == count, query


def test_csv_is_told_where_it_is_asked_for(served: Served) -> None:
    assert served.chat(headers=HEADERS[0], max_tokens=5).status == 200
    while served.gateway.writer.written < 1:
        time.sleep(0.01)
    answered = served.ask("GET", "/v1/usage?by=model&format=csv", b"", **HEADERS[0])
    assert answered.headers["content-type"] == "text/csv; charset=utf-8"
    header, line = answered.body.decode().splitlines()
    assert header.startswith("model,requests,errors,")
    assert line.startswith("gpt-4o-mini,1,0,")


def test_a_key_is_needed(served: Served) -> None:
    assert served.ask("GET", "/v1/usage").status == 401
