from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.routing.claude import config, message
from tests.served import Serve, Served

from dragoman.access.secret import create_secret


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    upstream.reply(expect, answer(message()))
    return serve(config(upstream.base_url))


def create(served: Served, **headers: str) -> dict[str, Any]:
    items = [{"role": "user", "content": text} for text in ("Hi", "there", "you")]
    body = json.dumps({"model": "chat", "input": items}).encode()
    made: dict[str, Any] = served.ask("POST", "/v1/responses", body, **headers).json
    return made


def test_it_is_got_as_it_was_told(claude: Served) -> None:
    made = create(claude)
    assert claude.get(f"/v1/responses/{made['id']}").json == made


def test_its_input_is_listed_in_pages(claude: Served) -> None:
    path = f"/v1/responses/{create(claude)['id']}/input_items"
    newest = claude.get(f"{path}?limit=2").json
    assert [item["content"][0]["text"] for item in newest["data"]] == ["you", "there"]
    assert newest["has_more"]
    rest = claude.get(f"{path}?limit=2&after={newest['last_id']}").json
    assert [item["content"][0]["text"] for item in rest["data"]] == ["Hi"]
    assert not rest["has_more"]
    assert len(claude.get(f"{path}?order=asc").json["data"]) == 3


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=101", "after=nothing"])
def test_a_page_that_cannot_be_is_refused(claude: Served, query: str) -> None:
    response = claude.get(f"/v1/responses/{create(claude)['id']}/input_items?{query}")
    assert (response.status, response.json["error"]["param"]) == (400, query.partition("=")[0])


def test_it_is_deleted_once(claude: Served) -> None:
    path = f"/v1/responses/{create(claude)['id']}"
    assert claude.ask("DELETE", path).json["deleted"] is True
    assert (claude.ask("DELETE", path).status, claude.get(path).status) == (404, 404)


def test_it_is_complete_and_cannot_be_cancelled(claude: Served) -> None:
    path = f"/v1/responses/{create(claude)['id']}"
    assert claude.ask("POST", f"{path}/cancel").status == 400
    assert claude.ask("PUT", path).status == 405


def test_other_keys_do_not_see_it(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(message()))
    secrets = [create_secret() for _ in range(3)]
    keys = [
        {"name": f"k{number}", "secret": secret, "organisation": "shop" if number < 2 else "other"}
        for number, secret in enumerate(secrets)
    ]
    served = serve(config(upstream.base_url, keys=keys))
    path = f"/v1/responses/{create(served, x_api_key=secrets[0])['id']}"
    statuses = [served.get(path, x_api_key=secret).status for secret in secrets]
    assert statuses == [200, 200, 404]


def test_ids_of_a_provider_s_are_asked_of_it(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, kind="openai"))
    upstream.reply(expect, answer(b'{"id":"resp_1"}'))
    assert served.get("/v1/responses/resp_1").json == {"id": "resp_1"}
    (sent,) = upstream.received()
    assert sent.path == "/v1/responses/resp_1"
