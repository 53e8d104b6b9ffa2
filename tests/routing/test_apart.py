from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from tests.cache.test_semantic import LAMP, SAME, ask, config, wait_until, watch_of
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, stream
from tests.served import Serve, Served

from dragoman.routing.apart import Nobody
from dragoman.usage.row import Cells, UsageRow, row_of


def rows_of(served: Served) -> list[UsageRow]:
    """The rows of requests that were made by the gateway itself."""
    seen: list[UsageRow] = []
    put = served.gateway.writer.put_all

    def note(rows: list[Cells]) -> None:
        seen.extend(map(row_of, rows))
        put(rows)

    served.gateway.writer.put_all = note  # type: ignore[method-assign]
    return seen


def by_cache(rows: list[UsageRow]) -> dict[str, UsageRow]:
    """Rows by what the cache did; which is written first is not told."""
    return {row.cache: row for row in rows}


def test_nobody_takes_everything() -> None:
    nobody = Nobody()
    nobody.response_bytes(200, [], b"")
    assert list(nobody.response_stream(200, []).send_bytes(b"x").__await__()) == []


def test_it_is_recorded_and_paid_for_like_any_other(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, check_share=1.0))
    seen = rows_of(served)
    ask(served, LAMP)
    ask(served, SAME)
    wait_until(lambda: watch_of(served).checked == 1)
    wait_until(lambda: len(seen) == 3)
    rows = by_cache(seen)
    assert rows.keys() == {"miss", "semantic", "check"}
    check = rows["check"]
    assert (check.cost_nanousd, check.usage_source, check.attempts) == (rows["miss"].cost_nanousd, "provider", 1)
    assert len({row.request_id for row in seen}) == 3
    assert upstream.received(2)[1].json["messages"][0]["content"] == SAME


def test_a_stream_is_read_to_its_end(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    served = serve(config(upstream, check_share=1.0))
    ask(served, LAMP, stream=True)
    ask(served, SAME, stream=True)
    wait_until(lambda: watch_of(served).checked == 1)
    assert watch_of(served).wrong == 0


def test_where_the_provider_fails_nothing_is_learnt(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("Unscrew it.")))
    failed: Any = threading.Event()
    upstream.reply(expect, answer(b"{}", 500), lambda _: failed.set())
    made = config(upstream, check_share=1.0)
    made["defaults"] = {"retries": 0}
    served = serve(made)
    seen = rows_of(served)
    ask(served, LAMP)
    ask(served, SAME)
    wait_until(lambda: len(seen) == 3)
    assert (by_cache(seen)["check"].status, watch_of(served).checked) == (502, 0)


# Asked for once more --------------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def repairing(upstream: Upstream, **more: Any) -> dict[str, Any]:
    made = config_for(
        upstream.base_url, guardrails={"form": {"json_schema": {"schema": SCHEMA, "repair": True}}} | more
    )
    made["providers"]["up0"]["dialects"] = ["openai_chat"]
    return made


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": "Count."}]}),
    "anthropic": (
        "/v1/messages",
        {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "Count."}]},
    ),
    "responses": ("/v1/responses", {"model": "chat", "input": "Count."}),
}


@pytest.mark.parametrize("client", list(BODIES))
def test_an_answer_of_another_form_is_asked_for_once_more(serve: Serve, upstream: Upstream, client: str) -> None:
    upstream.reply(expect, answer(chat_answer('{"n": "three"}')))
    upstream.reply(expect, answer(chat_answer('{"n": 3}')))
    served = serve(repairing(upstream))
    seen = rows_of(served)
    path, body = BODIES[client]
    response = served.ask("POST", path, json.dumps(body).encode())
    assert (response.status, response.headers["x-dragoman-guardrails"]) == (200, "form=repaired"), response.body
    assert b"three" not in response.body
    assert b'\\"n\\": 3' in response.body
    first, second = (request.json["messages"] for request in upstream.received(2))
    told = [(one["role"], one["content"]) for one in second]
    texts = [text if isinstance(text, str) else text[0]["text"] for _, text in told]
    assert (len(first), texts[:2]) == (1, ["Count.", '{"n": "three"}'])
    assert "n: type" in texts[2]
    assert [role for role, _ in told] == ["user", "assistant", "user"]
    assert [row.endpoint for row in seen][0:1] == ["guardrail"]
    assert all(row.cost_nanousd for row in seen), "both are paid for"


def test_once_and_no_more(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("I cannot.")))
    served = serve(repairing(upstream))
    blocked = served.chat()
    assert blocked.json["choices"][0]["finish_reason"] == "content_filter"
    assert (blocked.headers["x-dragoman-guardrails"], len(upstream.requests)) == ("form=block", 2)


@pytest.mark.parametrize("second", [answer(b"{}", 500), answer(b"no json")])
def test_where_it_cannot_be_asked_for_it_stays_refused(serve: Serve, upstream: Upstream, second: Any) -> None:
    upstream.reply(expect, answer(chat_answer("I cannot.")))
    upstream.reply(expect, second)
    made = repairing(upstream)
    made["defaults"] = {"retries": 0}
    blocked = serve(made).chat()
    assert (blocked.status, blocked.json["choices"][0]["finish_reason"]) == (200, "content_filter")


def test_what_another_guardrail_refuses_is_not_asked_for_again(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer('{"n": 3, "plutonium": 1}')))
    words = {"words": {"words": {"deny": ["plutonium"]}, "on": ["output"]}}
    made = repairing(upstream)
    made["guardrails"] = words | made["guardrails"]
    blocked = serve(made).chat()
    assert (blocked.headers["x-dragoman-guardrails"].split(",")[0], len(upstream.requests)) == ("words=block", 1)


def test_what_comes_again_passes_the_others_too(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("plutonium?")))
    upstream.reply(expect, answer(chat_answer('{"n": 3}')))
    made = repairing(upstream)
    made["guardrails"]["words"] = {"words": {"deny": ["plutonium"]}, "on": ["output"]}
    served = serve(made)
    assert served.chat().json["choices"][0]["message"]["content"] == '{"n": 3}'
    upstream.reply(expect, answer(chat_answer("no")))
    upstream.reply(expect, answer(chat_answer('{"n": 3} plutonium')))
    assert served.chat().json["choices"][0]["finish_reason"] == "content_filter"


def test_what_was_hidden_stays_hidden_and_is_shown_again(serve: Serve, upstream: Upstream) -> None:
    made = repairing(upstream)
    made["guardrails"]["form"]["json_schema"]["schema"] = {"type": "object", "required": ["mail"]}
    made["guardrails"]["pii"] = {"mask": {}}
    served = serve(made)
    messages = [{"role": "user", "content": "Write to ann@example.org."}]
    served.chat(messages=messages)
    name = upstream.received()[0].json["messages"][0]["content"].split()[-1].rstrip(".")
    upstream.reply(expect, answer(chat_answer("no")))
    upstream.reply(expect, answer(chat_answer("no")))
    upstream.reply(expect, answer(chat_answer(f"It is {name}")))
    upstream.reply(expect, answer(chat_answer(json.dumps({"mail": name}))))
    response = served.chat(messages=messages)
    assert json.loads(response.json["choices"][0]["message"]["content"]) == {"mail": "ann@example.org"}
    assert not any(b"ann@" in request.body for request in upstream.requests)
