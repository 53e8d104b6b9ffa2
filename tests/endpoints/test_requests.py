from __future__ import annotations

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, Served

from dragoman.access.secret import create_secret

ONE, OTHER, ADMIN = create_secret(), create_secret(), create_secret()
KEYS = [
    {"name": "one", "secret": ONE, "team": "red"},
    {"name": "other", "secret": OTHER},
    {"name": "admin", "secret": ADMIN, "admin": True},
]


@pytest.fixture
def guarded(serve: Serve, upstream: Upstream) -> Served:
    upstream.reply(expect, answer())
    return serve(config_for(upstream.base_url, keys=KEYS))


@pytest.fixture
def request_id(guarded: Served) -> str:
    answer = guarded.chat(headers={"authorization": f"Bearer {ONE}", "x-dragoman-metadata": '{"ticket": 7}'})
    assert answer.status == 200
    return answer.headers["x-request-id"]


def test_a_request_s_row_is_shown_to_its_key(guarded: Served, request_id: str) -> None:
    shown = guarded.get(f"/v1/requests/{request_id}", authorization=f"Bearer {ONE}")
    assert shown.status == 200
    row = shown.json
    assert (row["object"], row["request_id"], row["team"]) == ("request", request_id, "red")
    assert (row["status"], row["alias"], row["deployment"]) == (200, "chat", "up0")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (9, 3, "provider")
    assert row["metadata"] == {"ticket": 7}
    assert [attempt["outcome"] for attempt in row["attempt_log"]] == ["ok"]
    assert row["priced"]
    assert float(row["cost_usd"]) == pytest.approx(row["cost_nanousd"] / 1e9) != 0


def test_it_is_shown_to_an_admin(guarded: Served, request_id: str) -> None:
    assert guarded.get(f"/v1/requests/{request_id}", authorization=f"Bearer {ADMIN}").status == 200


def test_to_another_key_it_is_as_if_it_were_not(guarded: Served, request_id: str) -> None:
    hidden = guarded.get(f"/v1/requests/{request_id}", authorization=f"Bearer {OTHER}")
    absent = guarded.get("/v1/requests/req_0", authorization=f"Bearer {OTHER}")
    assert hidden.status == absent.status == 404
    assert hidden.json["error"] | {"request_id": ""} == absent.json["error"] | {"request_id": ""}


def test_a_key_and_get_are_needed(guarded: Served, request_id: str) -> None:
    assert guarded.get(f"/v1/requests/{request_id}").status == 401
    assert guarded.ask("POST", f"/v1/requests/{request_id}").status == 405


@pytest.mark.parametrize("wrong", ["", "' OR 1=1 --", "req_%", "x" * 5000])
def test_a_made_up_id_finds_nothing(guarded: Served, wrong: str) -> None:
    answer = guarded.get(f"/v1/requests/{wrong}", authorization=f"Bearer {ADMIN}")
    assert (answer.status, answer.code) in {(404, "request_not_found"), (404, "not_found")}
