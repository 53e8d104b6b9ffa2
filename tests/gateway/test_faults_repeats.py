"""What the gateway makes of a request that is sent again, C20, and of one that would go on where another was, C22."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.gateway.client import Response, chat, get, post
from tests.gateway.desk import BEARER, KEY, KEYS, OTHER_KEY, Desk, error_of
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import Upstream, answer, expect, stream
from tests.gateway.upstream import until as until_set

MANY = 24
PATIENCE_S = 30.0


def once_kept(desk: Desk, **fields: Any) -> Response:
    """The answer to a request that has been answered before. It is kept a moment after its client has it."""
    until_s = time.monotonic() + PATIENCE_S
    while (again := desk.chat(**fields)).status == 409 and time.monotonic() < until_s:
        time.sleep(0.01)
    return again


def row_of(desk: Desk, answered: Response) -> Any:
    """What a request came to, once it is over."""
    until_s, path = time.monotonic() + PATIENCE_S, f"/v1/requests/{answered.headers['x-request-id']}"
    while (found := get(desk.port, path, **BEARER)).status == 404 and time.monotonic() < until_s:
        time.sleep(0.01)
    return found.json


@pytest.mark.parametrize("streamed", [False, True])
def test_c20_the_same_again_is_answered_with_the_same(desk: Desk, streamed: bool) -> None:
    desk.play(expect, stream() if streamed else answer())
    key = {"idempotency-key": f"c20-{streamed}"}
    first = desk.chat(headers=key, stream=streamed)
    again = once_kept(desk, headers=key, stream=streamed)
    assert (again.status, again.body, again.complete) == (200, first.body, True)
    assert again.headers["x-idempotent-replayed"] == "true"
    assert len(desk.requests()) == 1
    paid, free = row_of(desk, first), row_of(desk, again)
    assert (paid["cost_nanousd"] > 0, free["cost_nanousd"], free["cache"]) == (True, 0, "replay")
    other = desk.chat(headers=key, stream=streamed, temperature=0.5)
    assert (other.status, error_of(other)) == (422, "idempotency_key_reused")
    stranger = desk.chat(headers=key | {"authorization": f"Bearer {OTHER_KEY}"}, stream=streamed)
    assert (stranger.status, "x-idempotent-replayed" in stranger.headers, len(desk.requests())) == (200, False, 2)


def test_c20_an_sdk_that_has_hung_up_gets_the_answer_when_it_asks_again(desk: Desk) -> None:
    gate = threading.Event()
    desk.play(expect, until_set(gate), answer())
    key = {"Idempotency-Key": "c20-sdk"}
    asked = {"model": "chat", "messages": [{"role": "user", "content": "Hello there."}], "extra_headers": key}
    with openai.OpenAI(base_url=desk.gateway.base_url, api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(timeout=0.5, **asked)  # type: ignore[call-overload]
        with pytest.raises(openai.ConflictError):
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
        gate.set()
        said = client.with_options(max_retries=8).chat.completions.create(**asked)  # type: ignore[call-overload]
    assert said.choices[0].message.content == "Hello."
    assert len(desk.requests()) == 1


def test_c20_many_at_once_are_one(desk: Desk) -> None:
    gate, key = threading.Event(), {"idempotency-key": "c20-many"}
    desk.play(expect, until_set(gate), answer())
    with ThreadPoolExecutor(MANY) as pool:
        asking = [pool.submit(desk.chat, headers=key) for _ in range(MANY)]
        desk.received(1)
        until_s = time.monotonic() + 30
        while sum(one.done() for one in asking) < MANY - 1 and time.monotonic() < until_s:
            time.sleep(0.01)
        gate.set()
        statuses = sorted(one.result().status for one in asking)
    assert statuses == [200] + [409] * (MANY - 1)
    assert len(desk.requests()) == 1


def test_c20_a_key_outlives_a_restart(tmp_path: Path) -> None:
    with Upstream() as upstream:
        upstream.reply(expect, answer())
        gateway, key = Gateway(config_for(upstream.base_url), tmp_path), {"idempotency-key": "again"}
        with gateway:
            first = chat(gateway.port, headers=key)
        with gateway:
            again = chat(gateway.port, headers=key)
        assert (again.status, again.body) == (200, first.body)
        assert len(upstream.requests) == 1


def test_c22_nobody_goes_on_where_another_tenant_was(tmp_path: Path) -> None:
    body = json.dumps({"model": "chat", "input": "Hello there.", "stream": True}).encode()
    mine, theirs = ({"authorization": f"Bearer {secret}"} for secret in (KEY, OTHER_KEY))
    with Upstream() as upstream:
        upstream.reply(expect, stream())
        config = config_for(upstream.base_url, provider={"kind": "openai-compatible"}, keys=KEYS)
        with Gateway(config, tmp_path) as gateway:
            made = post(gateway.port, "/v1/responses", body, **mine)
            made_id = f"resp_{made.headers['x-request-id']}"
            assert made_id.encode() in made.body
            path = f"/v1/responses/{made_id}?stream=true&starting_after=0"
            assert get(gateway.port, path, **mine).status == 200
            resuming = theirs | {"last-event-id": made_id, "accept": "text/event-stream"}
            other = get(gateway.port, path, **resuming)
            assert (other.status, error_of(other)) == (404, "response_not_found")
            row = get(gateway.port, f"/v1/requests/{made.headers['x-request-id']}", **resuming)
            assert (row.status, error_of(row)) == (404, "request_not_found")
        assert len(upstream.requests) == 1
