from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve, Served

from dragoman.access.children import MOST_GENERATIONS
from dragoman.access.secret import create_secret
from dragoman.access.stored import CreatedKey, create_key, revoke_key, switch_key
from dragoman.config.schema import Key
from dragoman.store.tables import keys


def made(served: Served, **fields: Any) -> CreatedKey:
    created = create_key(
        served.gateway.store.engine, served.gateway.pepper, Key(**{"name": "agent"} | fields), now_ms=1
    )
    served.gateway.keys.refresh()
    return created


def child(served: Served, secret: str, **fields: Any) -> Protocol:
    return served.ask("POST", "/v1/keys", json.dumps(fields).encode(), authorization=f"Bearer {secret}")


def chat(served: Served, secret: str, **fields: Any) -> Protocol:
    return served.chat({"authorization": f"Bearer {secret}"}, **fields)


def test_a_child_works_at_once_and_is_attributed_as_its_parent(served: Served) -> None:
    parent = made(served, team="shop", user="eve", tags=("nightly",))
    answer = child(served, parent.secret, name="step-1", tags=["run-7"], ttl_s=60)
    assert answer.status == 201, answer.json
    assert answer.json["name"].startswith("step-1~")
    asked = chat(served, answer.json["secret"])
    row = served.row(asked)
    assert (asked.status, row.key_id, row.team, row.user, row.tags) == (
        200,
        answer.json["id"],
        "shop",
        "eve",
        "nightly,run-7",
    )


def test_a_child_may_less_and_never_more(served: Served) -> None:
    parent = made(served, allow=("chat", "up0"))
    narrow = child(served, parent.secret, allow=["up0"]).json["secret"]
    assert (chat(served, narrow).status, chat(served, narrow, model="up0").status) == (403, 200)
    refused = child(served, parent.secret, allow=["*"])
    assert (refused.status, refused.json["error"]["param"]) == (403, "allow")
    assert child(served, narrow, allow=["chat"]).status == 403


def test_a_child_spends_its_parent_s_limits(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    parent = made(served, requests_per_minute=3)
    children = [child(served, parent.secret, requests_per_minute=2).json["secret"] for _ in range(2)]
    statuses = [chat(served, secret).status for secret in (children[0], children[0], children[0], children[1])]
    assert statuses == [200, 200, 429, 200]
    assert chat(served, children[1]).status == 429  # the parent's three are spent
    assert chat(served, parent.secret).status == 429


def test_limits_of_each_key_count_children_as_their_parent(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url) | {"limits": {"each": {"of": ["key"], "requests": 1, "per": "day"}}})
    parent = made(served)
    secret = child(served, parent.secret).json["secret"]
    assert [chat(served, one).status for one in (secret, parent.secret)] == [200, 429]


def test_a_child_ends_with_its_parent(served: Served) -> None:
    engine = served.gateway.store.engine
    parent = made(served)
    first = child(served, parent.secret).json
    second = child(served, first["secret"]).json
    switch_key(engine, parent.key.id, disabled_at_ms=5)
    served.gateway.keys.refresh()
    assert [chat(served, one["secret"]).status for one in (first, second)] == [401, 401]
    switch_key(engine, parent.key.id, disabled_at_ms=None)
    served.gateway.keys.refresh()
    assert chat(served, second["secret"]).status == 200
    revoke_key(engine, first["id"], now_ms=5)
    served.gateway.keys.refresh()
    assert chat(served, second["secret"]).status == 401


def test_a_child_that_is_over_is_over(served: Served) -> None:
    parent = made(served)
    one = child(served, parent.secret).json
    with served.gateway.store.engine.begin() as connection:
        connection.execute(update(keys).where(keys.c.id == one["id"]).values(expires_at_ms=1))
        connection.exec_driver_sql("UPDATE meta SET value = 'moved' WHERE name = 'keys_generation'")
    served.gateway.keys.refresh()
    assert chat(served, one["secret"]).status == 401


def test_a_parent_ends_its_own_children_alone(served: Served) -> None:
    parent, other = made(served), made(served, name="other")
    one = child(served, parent.secret).json
    refused = served.ask("DELETE", f"/v1/keys/{one['id']}", authorization=f"Bearer {other.secret}")
    assert (refused.status, refused.code) == (404, "key_not_found")
    ended = served.ask("DELETE", f"/v1/keys/{one['id']}", authorization=f"Bearer {parent.secret}")
    assert (ended.status, ended.json["revoked"]) == (200, True)
    assert chat(served, one["secret"]).status == 401


def test_generations_end(served: Served) -> None:
    secret = made(served).secret
    for _ in range(MOST_GENERATIONS):
        secret = child(served, secret).json["secret"]
    assert child(served, secret).code == "too_many_generations"
    assert chat(served, secret).status == 200


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"nothing": 1}', b'{"ttl_s": 0}', b'{"ttl_s": 86401}', b'{"allow": []}', b'{"tags": ["a,b"]}'],
)
def test_what_is_wrong_is_refused(served: Served, body: bytes) -> None:
    secret = made(served).secret
    answer = served.ask("POST", "/v1/keys", body, authorization=f"Bearer {secret}")
    assert answer.status == 400 or (answer.status == 201 and body == b'{"allow": []}'), answer.json


def test_who_may_make_none(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    served = serve(config_for(upstream.base_url) | {"keys": [{"name": "declared", "secret": secret}]})
    assert child(served, secret).code == "not_a_stored_key"
    assert child(served, made(served, surfaces=("chat",)).secret).code == "surface_not_allowed"
    parent = made(served, name="maker").secret
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys/x"), ("DELETE", "/v1/keys")):
        assert served.ask(method, path, authorization=f"Bearer {parent}").status in (404, 405)


def test_it_is_on_record(served: Served) -> None:
    parent = made(served)
    one = child(served, parent.secret).json
    log = served.gateway.auditor.trail.directory
    served.gateway.auditor.close()
    text = b"".join(path.read_bytes() for path in log.rglob("*.jsonl*")).decode(errors="replace") if log else ""
    everything = text or "".join(path.read_text(errors="replace") for path in log.rglob("*") if path.is_file())
    assert '"kind":"key.create"' in everything
    assert one["name"] in everything
    assert one["secret"] not in everything
