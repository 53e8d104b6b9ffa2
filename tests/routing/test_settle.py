from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, send, stream, stream_head
from tests.served import Protocol, Serve, Served, chat_body
from tests.telemetry.test_metrics import read

from dragoman.access.knobs import Knobs
from dragoman.access.principal import ANONYMOUS, Principal
from dragoman.config.schema import Price
from dragoman.core import Reply, TokenCounter
from dragoman.errors import ClientGone, InvalidRequest, RequestError, UpstreamCut, UpstreamTimeout
from dragoman.routing.run import AttemptNote, Run
from dragoman.routing.settle import BILLED_FAILURES, cost_of, settle, tokens_of
from dragoman.server.request import Request
from dragoman.telemetry.metrics import Figures
from dragoman.usage.price import rates_of
from dragoman.usage.row import Cells, Tokens, UsageRow, row_of

COUNTER = TokenCounter()
COUNTS = st.integers(0, 2**40)


class Kept:
    """What of a gateway is settled with: rows and figures are kept."""

    def __init__(self) -> None:
        self.rows: list[Cells] = []
        self.counted: list[Figures] = []
        self.learnt: Counter[str] = Counter()
        self.writer = SimpleNamespace(put_all=self.rows.extend)
        self.metrics = SimpleNamespace(count=lambda key, requests, cache: self.counted.extend(requests))
        self.recorded: list[Cells] = []
        self.auditor = SimpleNamespace(request=lambda run, row: self.recorded.append(row))

    def learn_output(self, deployment: str, tokens: int) -> None:
        self.learnt[deployment] += tokens


def outcome(**fields: Any) -> Any:
    usual: dict[str, Any] = {
        "failure": "",
        "usage": None,
        "written": "whole",
        "sent": True,
        "text": "",
        "text_truncated": False,
        "body": b"{}",
        "headers": [],
        "status": 200,
        "finish_reason": "stop",
        "first_token_ms": None,
    }
    return SimpleNamespace(**usual | fields)


def made(ended: Any = None, *, counted: int | None = None, exact: bool = True, priced: bool = True) -> Run:
    proto: Any = Protocol(b"")
    run = Run(Request("req_1", proto, Reply(proto, "")), 1, ANONYMOUS, "chat")
    rates = rates_of(Price(input_usd_mtok=2, output_usd_mtok=8, cached_input_usd_mtok=1)) if priced else None
    deployment: Any = SimpleNamespace(name="d", known_as="d", provider="p", model="m", rates=rates, counter=COUNTER)
    run.deployment = deployment
    run.outcome = ended
    count: Any = None if counted is None else SimpleNamespace(tokens=counted, exact=exact)
    run.counted = count
    if ended is not None:
        run.note(AttemptNote("d", "c", "priority", "ok", 1.0))
    return run


def settled(run: Run) -> UsageRow:
    kept: Any = Kept()
    settle(kept, run)
    (row,) = map(row_of, kept.rows)
    assert [figures[4:6] for figures in kept.counted] == [(row.input_tokens, row.output_tokens)]
    return row


def test_the_provider_s_own_figures_count() -> None:
    run = made(outcome(usage=(9, 3, 4, 0, 1, 0, 0)), counted=100)
    row = settled(run)
    assert (row.input_tokens, row.output_tokens, row.cached_input_tokens, row.reasoning_tokens) == (9, 3, 4, 1)
    assert (row.usage_source, row.cost_nanousd) == ("provider", 5 * 2_000 + 4 * 1_000 + 3 * 8_000)


def test_where_it_says_nothing_its_text_is_counted() -> None:
    body = chat_answer("One two three four.", usage=None)
    row = settled(made(outcome(body=body), counted=7))
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (7, 5, "counted")


def test_what_a_stream_had_said_is_counted() -> None:
    run = made(outcome(failure="cut", written="partly", text="One two three four."), counted=7)
    run.stream = True
    run.fail(UpstreamCut("m"))
    row = settled(run)
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.status) == (7, 5, "counted", 200)


@pytest.mark.parametrize(("exact", "truncated"), [(False, False), (True, True), (False, True)])
def test_what_is_not_sure_is_estimated(exact: bool, truncated: bool) -> None:
    run = made(outcome(failure="client_gone", text="One", text_truncated=truncated), counted=7, exact=exact)
    assert settled(run).usage_source == "estimated"


@pytest.mark.parametrize("failure", sorted(BILLED_FAILURES))
def test_what_may_have_been_worked_on_is_billed(failure: str) -> None:
    row = settled(made(outcome(failure=failure, written=""), counted=7))
    assert (row.input_tokens, row.usage_source) == (7, "counted")


FREE = [{"failure": name} for name in ("unreachable", "tls", "refused", "status", "cut", "first_byte_timeout")]


@pytest.mark.parametrize("fields", [*FREE, {"failure": "client_gone", "sent": False}])
def test_what_was_not_is_not(fields: dict[str, Any]) -> None:
    row = settled(made(outcome(written="", **fields), counted=7))
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.cost_nanousd) == (0, 0, "none", 0)


def test_what_was_never_sent_costs_nothing() -> None:
    run = made(None, counted=7)
    run.fail(InvalidRequest("m", code="too_deep"))
    row = settled(run)
    assert (row.status, row.error_code, row.fault, row.usage_source) == (400, "too_deep", "client", "none")


def test_a_request_that_neither_was_answered_nor_failed_met_a_bug() -> None:
    row = settled(made(None))
    assert (row.status, row.error_code, row.fault) == (500, "internal_error", "gateway")


def test_without_a_price_there_is_no_cost() -> None:
    assert settled(made(outcome(usage=(9, 3, 0, 0, 0, 0, 0)), priced=False)).cost_nanousd is None


@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_the_row_adds_up_to_the_usage_and_its_price(usage: tuple[int, ...]) -> None:
    whole = (usage[0] + usage[2] + usage[3], usage[1] + usage[4], *usage[2:])
    run = made(outcome(usage=whole))
    row = settled(run)
    recorded = (
        row.input_tokens,
        row.output_tokens,
        row.cached_input_tokens,
        row.cache_write_tokens,
        row.reasoning_tokens,
        row.audio_input_tokens,
        row.audio_output_tokens,
    )
    assert recorded == whole
    assert row.cost_nanousd == cost_of(run, Tokens(*whole))
    assert row.cost_nanousd is not None
    assert row.cost_nanousd >= 0


ERRORS = [None, ClientGone("m"), InvalidRequest("m"), UpstreamCut("m"), UpstreamTimeout("m")]


@given(
    st.sampled_from(["", "client_gone", "cut", "status", "total_timeout", "idle_timeout", "unreachable"]),
    st.sampled_from(["", "partly", "whole"]),
    st.booleans(),
    st.none() | st.tuples(*[COUNTS] * 7),
    st.sampled_from(ERRORS),
)
def test_whatever_happened_there_is_one_row(
    failure: str, written: str, sent: bool, usage: Any, error: RequestError | None
) -> None:
    run = made(outcome(failure=failure, written=written, sent=sent, usage=usage, text="Hi"), counted=5)
    if error is not None:
        run.fail(error)
    row = settled(run)
    tokens, source = tokens_of(run)
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (tokens.input, tokens.output, source)
    assert (row.error_code == "") == (error is None)
    assert row.total_ms == pytest.approx(row.overhead_ms + row.upstream_ms)


def test_only_good_answers_teach_what_is_typical() -> None:
    kept: Any = Kept()
    settle(kept, made(outcome(usage=(9, 300, 0, 0, 0, 0, 0))))
    assert kept.learnt == {"d": 300}
    run = made(outcome(usage=(9, 300, 0, 0, 0, 0, 0), failure="cut"))
    run.fail(UpstreamCut("m"))
    settle(kept, run)
    settle(kept, made(outcome()))
    assert kept.learnt == {"d": 300}


def test_whose_it_is_and_what_they_said() -> None:
    run = made(outcome())
    run.principal = Principal(key_id="k", name="n", organisation="o", team="t", user="u", app="a", tags=("z", "b"))
    run.planned("alias", "end", Knobs(tags=("b", "c"), metadata={"é": [1]}), None)
    row = settled(run)
    assert (row.key_id, row.organisation, row.team, row.user, row.app) == ("k", "o", "t", "u", "a")
    assert (row.alias, row.end_user, row.tags) == ("alias", "end", "b,c,z")
    assert json.loads(row.metadata) == {"é": [1]}


def test_what_is_not_to_be_logged_is_not() -> None:
    run = made(outcome())
    run.principal = Principal(key_id="k", name="n", tags=("z",))
    run.planned("alias", "end", Knobs(tags=("b",), metadata={"a": 1}, no_log=True), None)
    row = settled(run)
    assert (row.end_user, row.tags, row.metadata, row.key_id) == ("", "z", "", "k")


def test_every_request_is_in_the_figures_as_in_the_rows(served: Served, upstream: Upstream) -> None:
    asked = [
        (expect, answer(chat_answer(prompt=11, completion=2))),
        (expect, stream()),
        (expect, answer(chat_answer(usage=None))),
        (expect, answer(b"{}", 400)),
        (expect, send(stream_head())),
    ]
    for steps in asked:
        upstream.reply(*steps)
    rows = [served.row(served.chat(stream=number in {1, 4})) for number in range(len(asked) - 1)]
    rows.append(served.row(served.ask("POST", "/v1/chat/completions", b"{")))
    series = read(served.get("/metrics").body.decode())
    summed: Counter[str] = Counter()
    for (name, _), value in series.items():
        summed[name] += value  # type: ignore[assignment]
    assert summed["dragoman_request_seconds_count"] == len(rows)
    assert summed["dragoman_input_tokens_total"] == sum(row.input_tokens for row in rows)
    assert summed["dragoman_output_tokens_total"] == sum(row.output_tokens for row in rows)
    assert summed["dragoman_cost_usd_total"] == pytest.approx(sum(row.cost_nanousd or 0 for row in rows) / 1e9)
    assert [row.usage_source for row in rows] == ["provider", "provider", "counted", "none", "none"]


def test_rows_that_were_put_are_in_the_database(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer())
    ids = [served.ask("POST", "/v1/chat/completions", chat_body()).headers["x-request-id"] for _ in range(20)]
    assert len(set(ids)) == 20
    served.gateway.writer.close()
    assert served.gateway.writer.written == 20
