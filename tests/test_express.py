from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect, hold, reset, stream
from tests.routing.test_audited import on_record
from tests.served import Protocol, Serve, Served, chat_body

from dragoman import express
from dragoman.access.secret import create_secret
from dragoman.routing.run import AttemptNote
from dragoman.usage.row import FIELDS

pytestmark = pytest.mark.fronted

# What is another's each time: ids, and times.
OWN = ("x-request-id", "x-dragoman-overhead-ms", "x-dragoman-upstream-ms", "x-ratelimit-reset-tokens")
OWN_COLUMNS = ("request_id", "started_at_ms", "attempt_log", "total_ms", "upstream_ms", "overhead_ms", "first_token_ms")
PRICE = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
SECRET = create_secret()
PATIENCE_S = 10.0


def begin(serve: Serve, upstream: Upstream, **fields: Any) -> Served:
    config = config_for(upstream.base_url, **fields)
    config["deployments"]["up0"] |= {"price": PRICE, "model": "gpt-4o"}
    return serve(config)


def warm(served: Served, upstream: Upstream, headers: dict[str, str] | None = None, **fields: Any) -> None:
    """Have requests of the kind pass from now on."""
    upstream.reply(expect, stream() if fields.get("stream") else answer())
    assert served.chat(headers, **fields).status == 200


def passed(served: Served) -> int:
    """How many requests have gone the express way."""
    served.gateway.express.settle()
    return served.gateway.express.served


def until(condition: Callable[[], bool]) -> None:
    by_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < by_s
        time.sleep(0.005)


def told(served: Served, response: Protocol) -> tuple[Any, ...]:
    """All that a client and an operator see of an answer."""
    row = served.row(response)
    columns = {name: getattr(row, name) for name in row.__struct_fields__ if name not in OWN_COLUMNS}
    noted = [{**note, "ms": 0} for note in json.loads(row.attempt_log)]
    headers = [(name, value) for name, value in response.headers.items() if name not in OWN]
    body = response.body.replace(response.headers["x-request-id"].encode(), b"")
    return response.status, body, headers, columns, noted


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fields", [{"user": "ann"}, {"stream_options": None}, {"tools": []}])
def test_what_passes_goes_as_by_the_pipeline(
    serve: Serve, upstream: Upstream, streamed: bool, fields: dict[str, Any]
) -> None:
    served = begin(serve, upstream)
    asked = {"stream": streamed, "max_tokens": 50, **fields}
    found = []
    for way in range(4):
        if way == 2:
            served.gateway.express.forget()
        upstream.reply(expect, stream() if streamed else answer())
        found.append(told(served, served.chat(**asked)))
    assert passed(served) == 2
    first, second, third, fourth = found
    assert first == second == third == fourth
    one, other, *_ = upstream.requests
    assert (one.path, one.headers, one.body) == (other.path, other.headers, other.body)
    assert json.loads(one.body)["model"] == "gpt-4o"


def test_each_of_those_put_on_record_together_has_a_row_as_by_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    answers = []
    for number in range(12):
        upstream.reply(expect, stream() if number % 2 else answer())
        answers.append(served.chat(user=f"u{number}", stream=number % 2 == 1))
    served.gateway.express.forget()
    answers.append(served.chat(user="u", stream=True))
    assert passed(served) == 12
    rows = [astuple(served.row(answer)) for answer in answers]
    odd = {name for name, *cells in zip(FIELDS, *rows, strict=True) if len(set(map(type, cells))) > 1}
    assert odd == {"first_token_ms"}  # only streams have
    streams = [*rows[1:12:2], rows[12]]
    assert len({tuple(map(type, row)) for row in streams}) == 1
    at = {name: FIELDS.index(name) for name in ("end_user", "stream", "attempt_log")}
    assert [row[at["end_user"]] for row in rows] == [*(f"u{number}" for number in range(12)), "u"]
    assert [row[at["stream"]] for row in rows] == [*(number % 2 == 1 for number in range(12)), True]
    for log in (row[at["attempt_log"]] for row in rows):
        assert log == msgspec.json.encode(msgspec.json.decode(log, type=list[AttemptNote])).decode()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "steps",
    [
        (answer(b'{"error": {"message": "no"}}', 400),),
        (answer(b"{}", 500), answer(b"{}", 500)),
        (reset, reset),
        (answer(b"<html>"), answer(b"<html>")),
    ],
    ids=["rejected", "failed", "reset", "no answer"],
)
def test_what_fails_is_taken_up_by_the_pipeline(
    serve: Serve, upstream: Upstream, streamed: bool, steps: tuple[Any, ...]
) -> None:
    served = begin(serve, upstream, route={"retries": 1}, defaults={"retry_budget": 1.0})
    warm(served, upstream, stream=streamed)
    found = []
    for way in range(2):
        if way == 1:
            warm(served, upstream, stream=streamed)
            served.gateway.express.forget()
        for step in steps:
            upstream.reply(expect, step)
        status, body, headers, columns, noted = told(served, served.chat(stream=streamed, max_tokens=50))
        chosen = [{**note, "why": ""} for note in noted]
        found.append((status, body, headers, columns, chosen))
    assert found[0] == found[1]
    assert passed(served) == 1
    assert [one.in_flight for one in served.gateway.balancer.members()] == [0]


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "a=1,b=2"}, TRACE),
        ({"traceparent": f"00-{TRACE}-{'0' * 16}-01", "tracestate": "a=1"}, ""),
        ({"traceparent": "nonsense"}, ""),
        ({"tracestate": "a=1"}, ""),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_trace_goes_on(serve: Serve, upstream: Upstream, headers: dict[str, str], trace_id: str, status: int) -> None:
    served = begin(serve, upstream, route={"retries": 0})
    warm(served, upstream)
    found = []
    for way in range(2):
        if way == 1:
            served.gateway.express.forget()
        upstream.reply(expect, answer() if status == 200 else answer(b"{}", 500))
        found.append(told(served, served.chat(headers, max_tokens=50)))
    assert found[0][0] == (200 if status == 200 else 502)
    assert found[0] == found[1]
    assert found[0][3]["trace_id"] == trace_id
    assert passed(served) == (status == 200)
    sent = [one.headers for one in upstream.requests[1:]]
    parents = [one.pop("traceparent", "") for one in sent]
    assert sent[0] == sent[1]
    assert sent[0].get("tracestate", "") == (headers.get("tracestate", "") if trace_id else "")
    assert len(set(parents)) == (2 if trace_id else 1)
    for parent in parents:
        assert [part for at, part in enumerate(parent.split("-")) if at != 2] == (
            ["00", trace_id, headers["traceparent"][-2:]] if trace_id else [""]
        )


NOT_ALIKE: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("a knob", {"x_dragoman_tags": "a"}, {}),
    ("a property", {"helicone_property_x": "1"}, {}),
    ("a page of this machine", {"origin": "http://localhost:3000"}, {}),
    ("fallbacks", {}, {"fallbacks": ["chat"]}),
    ("the cache", {}, {"cache": {"no-cache": True}}),
    ("another alias", {}, {"model": "up0"}),
    ("calls of tools", {}, {"messages": [{"role": "assistant", "tool_calls": []}, {"role": "user", "content": "x"}]}),
]


@pytest.mark.parametrize(("headers", "fields"), [one[1:] for one in NOT_ALIKE], ids=[one[0] for one in NOT_ALIKE])
def test_what_says_more_than_others_goes_by_the_pipeline(
    serve: Serve, upstream: Upstream, headers: dict[str, str], fields: dict[str, Any]
) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    assert served.chat().status == 200
    assert passed(served) == 1
    assert served.chat(headers, **fields).status == 200
    assert passed(served) == 1


BAD: list[tuple[str, bytes, int]] = [
    ("no JSON", b'{"model": "chat", ', 400),
    ("no object", b"[]", 400),
    ("no model", b'{"messages": []}', 400),
    ("a model that is none", b'{"model": 5}', 400),
    ("no such model", b'{"model": "none/such"}', 404),
    ("no messages", b'{"model": "chat"}', 400),
    ("text that is none", b'{"model": "chat", "messages": "\xff"}', 400),
]


@pytest.mark.parametrize(("body", "status"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_what_is_bad_is_refused_as_by_the_pipeline(serve: Serve, upstream: Upstream, body: bytes, status: int) -> None:
    served = begin(serve, upstream)
    refused = served.ask("POST", "/v1/chat/completions", body)
    warm(served, upstream)
    again = served.ask("POST", "/v1/chat/completions", body)
    first, second = (one.json["error"] | {"request_id": ""} for one in (refused, again))
    assert (again.status, second) == (status, first)
    assert passed(served) == 0


def keyed(serve: Serve, upstream: Upstream, **fields: Any) -> Served:
    served = begin(serve, upstream, keys=[{"name": "k", "secret": SECRET, "tags": ["b", "a"], "team": "t"} | fields])
    warm(served, upstream, {"authorization": f"Bearer {SECRET}"})
    return served


def test_a_key_passes_whatever_its_spelling(serve: Serve, upstream: Upstream) -> None:
    served = keyed(serve, upstream)
    for spelling in (f"Bearer {SECRET}", f"bearer  {SECRET} ", f"BEARER {SECRET}"):
        row = served.row(served.chat({"authorization": spelling}))
        assert (row.tags, row.team) == ("a,b", "t")
    assert passed(served) == 3


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer dgk_other"}, {"authorization": f"Bearer {SECRET}", "x_api_key": "dgk_other"}],
)
def test_no_other_key_passes(serve: Serve, upstream: Upstream, headers: dict[str, str]) -> None:
    served = keyed(serve, upstream)
    assert served.chat(headers).status in (400, 401)
    assert passed(served) == 0


def test_a_key_that_is_gone_passes_no_more(serve: Serve, upstream: Upstream) -> None:
    served = keyed(serve, upstream)
    assert served.chat({"authorization": f"Bearer {SECRET}"}).status == 200
    served.gateway.keys.declare([])
    assert served.chat({"authorization": f"Bearer {SECRET}"}).status == 200  # nobody needs one any more
    served.gateway.keys.declare([], has_issuers=True)
    assert served.chat({"authorization": f"Bearer {SECRET}"}).status == 401
    assert passed(served) == 1


def test_a_key_bound_to_places_never_passes(serve: Serve, upstream: Upstream) -> None:
    served = keyed(serve, upstream, ip_ranges=["127.0.0.0/8"])
    assert served.chat({"authorization": f"Bearer {SECRET}"}).status == 200
    assert passed(served) == 0


def test_a_pass_that_rests_on_what_has_changed_is_not_taken(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    core = served.gateway.express.core
    before = core.generation
    warm(served, upstream)
    assert core.knows((bytes(32), ""), "chat")
    core.forget()
    assert not core.knows((bytes(32), ""), "chat")
    found: list[Any] = []
    add = served.gateway.express.offer
    served.gateway.express.offer = lambda *given: found.append(given)  # type: ignore[method-assign]
    warm(served, upstream)
    [(generation, *rest)] = found
    assert generation == before + 1
    add(before, *rest)
    assert not core.knows((bytes(32), ""), "chat")
    add(generation, *rest)
    assert core.knows((bytes(32), ""), "chat")


def test_a_new_configuration_holds_for_the_next_request(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    assert served.chat().headers["x-dragoman-snapshot"] == "1"
    config = config_for(upstream.base_url, guardrails={"word": {"words": {"deny": ["hello"]}}})
    served.gateway.replace(served.load(config))
    assert served.chat().status == 400
    served.gateway.replace(served.load(config_for(upstream.base_url)))
    assert [served.chat().headers["x-dragoman-snapshot"] for _ in range(2)] == ["3", "3"]
    assert passed(served) == 2


def test_a_body_may_come_late_but_not_too_late(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, server={"limits": {"body_timeout_s": 0.5}})
    warm(served, upstream)
    body = chat_body()
    length = str(len(body))
    coming = served.begin("POST", "/v1/chat/completions", None, content_length=length)
    coming.arrive(body)
    assert coming.wait().status == 200
    late = served.begin("POST", "/v1/chat/completions", None, content_length=length)
    assert late.wait().status == 408
    assert (passed(served), served.gateway.express.core.in_flight) == (1, 0)


@pytest.mark.parametrize("data", [b"{}", RuntimeError("closed")], ids=["short", "broken"])
def test_a_body_that_breaks_off_is_no_request(serve: Serve, upstream: Upstream, data: bytes | BaseException) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    coming = served.begin("POST", "/v1/chat/completions", None, content_length="99")
    coming.arrive(data)
    assert coming.wait().status == 0
    assert (passed(served), served.gateway.express.core.in_flight) == (0, 0)


def test_a_client_that_leaves_is_not_sent_for(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    upstream.reply(expect, hold)
    leaving = served.begin("POST", "/v1/chat/completions", chat_body())
    assert upstream.received(2)
    leaving.leave()
    leaving.wait()
    served.gateway.express.settle()
    rows = [served.gateway.writer.find(name) for name in list(served.gateway.writer._recent)]
    assert [row.status for row in rows if row is not None] == [200, 499]
    assert upstream.closed(0) is not None
    assert passed(served) == 0


def test_the_end_of_the_process_ends_what_is_on_its_way(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    upstream.reply(expect, hold)
    sent = served.begin("POST", "/v1/chat/completions", chat_body())
    coming = served.begin("POST", "/v1/chat/completions", None, content_length="99")
    assert upstream.received(2)
    assert served.app.has_requests
    served.app.abort()
    assert [one.wait().status for one in (sent, coming)] == [503, 503]
    assert not served.app.has_requests


def test_no_more_pass_than_there_is_room_for(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, server={"limits": {"max_concurrent": 2}})
    warm(served, upstream)
    upstream.reply(expect, hold)
    waiting = [served.begin("POST", "/v1/chat/completions", chat_body()) for _ in range(2)]
    assert served.chat().status == 503
    served.app.abort()
    for one in waiting:
        one.wait()


def test_what_passes_is_in_the_figures_and_on_record(serve: Serve, upstream: Upstream) -> None:
    served = keyed(serve, upstream)
    counted = 'dragoman_request_seconds_count{endpoint="chat",provider="up0",deployment="up0",status="200",error=""}'
    ids = [served.chat({"authorization": f"Bearer {SECRET}"}).headers["x-request-id"] for _ in range(3)]
    figures = served.get("/metrics", authorization=f"Bearer {SECRET}").body.decode()
    assert f"{counted} 4" in figures
    assert "dragoman_express_requests_total 3" in figures
    served.gateway.express.settle()
    served.gateway.auditor.flush()
    until(lambda: all(served.gateway.writer.find(one) is not None for one in ids))
    assert served.gateway.keys._used


def test_what_cannot_be_counted_is_on_record_and_the_next_is_counted(
    serve: Serve, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    served = begin(serve, upstream)
    warm(served, upstream)
    with monkeypatch.context() as patch:
        patch.setattr(express, "count", fail)
        responses = [served.chat() for _ in range(2)]
        until(lambda: served.gateway.express.served == 2)
    assert passed(served) == 2
    assert "cannot be accounted for in full" in caplog.text
    responses.append(served.chat())
    until(lambda: served.gateway.express.served == 3)  # by the thread that does so by itself
    for response in responses:
        assert served.row(response).status == 200
        assert len(on_record(served, response)) == 1


def test_ids_are_those_of_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    ids = [served.chat().headers["x-request-id"] for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(len(one) == len("req_") + 28 and abs(int(one[4:16], 16) / 1000 - time.time()) < 60 for one in ids)
    assert passed(served) == 20


def test_many_at_once_are_all_answered(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    warm(served, upstream)
    statuses: list[int] = []

    def ask() -> None:
        statuses.extend(served.chat(stream=number % 2 == 0, max_tokens=number + 1).status for number in range(20))

    upstream.reply(expect, answer())
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 160
    assert [one.in_flight for one in served.gateway.balancer.members()] == [0]
