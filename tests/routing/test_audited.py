from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Step, Upstream, answer, chat_answer, expect, stream
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret
from dragoman.audit.record import AuditRecord
from dragoman.audit.search import Wanted, search
from dragoman.config.auditing import Audit
from dragoman.core import audit_segments
from dragoman.errors import (
    BudgetExceeded,
    Forbidden,
    GuardrailBlocked,
    Internal,
    LimitExceeded,
    RequestError,
    UpstreamCut,
)
from dragoman.routing.audited import STRANGERS_A_SECOND, decision_of, rule_of
from dragoman.usage.row import UsageRow

CHAT = "/v1/chat/completions"


def audited(serve: Serve, upstream: Upstream, *steps: Step, **fields: Any) -> Served:
    upstream.reply(expect, *(steps or (answer(),)))
    return serve(config_for(upstream.base_url, **fields))


def on_record(served: Served, request: Protocol | None = None) -> list[AuditRecord]:
    """The records of a request, oldest first, once they are written."""
    trail = served.gateway.auditor.trail
    served.gateway.auditor.flush()
    while trail.figures["queued"]:
        pass
    wanted = {} if request is None else {"id": request.headers["x-request-id"]}
    found: list[AuditRecord] = []
    while not found:
        found = [one.record for one in search(trail.directory, Wanted(fields=wanted))][::-1]
    return found


def test_a_request_s_record(serve: Serve, upstream: Upstream) -> None:
    key = {
        "name": "k",
        "secret": create_secret(),
        "organisation": "acme",
        "team": "search",
        "user": "ann",
        "app": "web",
    }
    served = audited(serve, upstream, keys=[key])
    response = served.chat(headers={"authorization": f"Bearer {key['secret']}"}, user="eve")
    (record,) = on_record(served, response)
    assert (record.kind, record.decision, record.rule, record.status) == ("request", "allowed", "", 200)
    assert (record.key_id, record.organisation, record.team, record.user, record.app) == (
        "config:k",
        "acme",
        "search",
        "ann",
        "web",
    )
    assert (record.alias, record.provider, record.model, record.deployment) == ("chat", "up0", "gpt-4o-mini", "up0")
    assert (record.input_tokens, record.output_tokens, record.attempts, record.snapshot) == (9, 3, 1, 1)
    assert record.cost_nanousd == served.row(response).cost_nanousd
    eve = served.gateway.auditor.subjects.find("acme", "eve")
    assert eve is not None
    assert (record.subject, record.prompt) == (eve.pseudonym, eve.fingerprint(chat_body(user="eve")))
    assert "eve" not in record.encoded().decode()
    assert "Hello there" not in record.encoded().decode()


def test_a_record_says_of_each_field_what_the_row_does(serve: Serve, upstream: Upstream) -> None:
    auditor = audited(serve, upstream).gateway.auditor
    texts = ("key_id", "organisation", "team", "user", "app", "endpoint", "alias", "provider", "model", "deployment")
    same = (*texts, "status", "attempts", "input_tokens", "output_tokens", "guardrails", "cache", "snapshot")
    fields: dict[str, Any] = {name: f"some {name}" for name in (*texts, "guardrails", "cache")}
    fields |= {"status": 1, "attempts": 2, "input_tokens": 3, "output_tokens": 4, "snapshot": 5, "cost_nanousd": 6}
    row = UsageRow(request_id="r", started_at_ms=7, error_code="some code", **fields)
    eve = auditor.subjects.of("acme", "eve")
    assert auditor._record((astuple(row), "::1", "acme", "eve", b"{}", "refused", "some rule", "full")) == AuditRecord(
        kind="request",
        at_ms=7,
        id="r",
        subject=eve.pseudonym,
        address="::1",
        decision="refused",
        rule="some rule",
        code="some code",
        cost_nanousd=6,
        prompt=eve.fingerprint(b"{}"),
        content="full",
        **{name: fields[name] for name in same},
    )


def test_records_are_made_in_the_order_in_which_requests_end(serve: Serve, upstream: Upstream) -> None:
    served = audited(serve, upstream, *[answer()] * 20)
    answers = [served.chat() for _ in range(20)]
    on_record(served, answers[-1])
    ids = [one.id for one in on_record(served) if one.id]
    assert ids == [one.headers["x-request-id"] for one in answers]


def test_who_is_refused_is_on_record_with_the_rule(serve: Serve, upstream: Upstream) -> None:
    limits = {"pace": {"requests": 1, "per": "minute"}}
    guardrails = {"no-moon": {"words": {"deny": ["moon"]}}}
    served = audited(serve, upstream, limits=limits, guardrails=guardrails)
    blocked = served.chat(messages=[{"role": "user", "content": "the moon"}])
    served.chat()
    limited = served.chat()
    missing = served.chat(model="nobody")
    told = {id(one): on_record(served, one)[0] for one in (blocked, limited, missing)}
    assert [(one.decision, one.rule, one.status) for one in told.values()] == [
        ("refused", "guardrail:no-moon", 400),
        ("refused", "limit:pace", 429),
        ("refused", "model_not_found", 404),
    ]


def test_strangers_are_on_record_and_floods_are_counted(serve: Serve, upstream: Upstream) -> None:
    served = audited(serve, upstream, keys=[{"name": "k", "secret": create_secret()}])
    answers = [served.ask("POST", CHAT, chat_body()) for _ in range(3 * STRANGERS_A_SECOND)]
    assert {one.status for one in answers} == {401}
    served.gateway.auditor._second = 0
    last = served.ask("POST", CHAT, chat_body())
    (record,) = on_record(served, last)
    assert (record.rule, record.status, record.code) == ("authentication", 401, "invalid_api_key")
    strangers = [one for one in on_record(served) if one.rule == "authentication"]
    told = sum(one.detail.get("unrecorded_before", 0) for one in strangers)
    assert len(strangers) + told == 3 * STRANGERS_A_SECOND + 1
    assert told > 0


def test_a_strict_log_has_the_request_before_the_provider_does(serve: Serve, upstream: Upstream) -> None:
    served = audited(serve, upstream, audit={"mode": "strict"})
    response = served.chat(user="eve")
    begun, done = on_record(served, response)
    assert (begun.kind, done.kind) == ("request.begin", "request")
    assert (begun.id, begun.prompt, begun.subject, begun.alias) == (done.id, done.prompt, done.subject, "chat")


def test_a_strict_log_that_cannot_be_written_lets_nothing_through(serve: Serve, upstream: Upstream) -> None:
    served = audited(serve, upstream, audit={"mode": "strict", "segment_records": 1})
    assert served.chat().status == 200
    trail = served.gateway.auditor.trail
    on_record(served)
    (folder,) = (path for path in trail.directory.iterdir())
    while any(head is None for *_, head in audit_segments(trail.directory, folder.name)):
        pass
    moved = Path(shutil.move(folder, folder.with_name("away")))
    refused = served.chat()
    assert (refused.status, refused.code) == (503, "audit_unavailable")
    assert len(upstream.requests) == 1
    assert "audit: the log cannot be written" in " ".join(served.ask("GET", "/readyz").json["degraded"])
    shutil.move(moved, folder)
    while trail.failure is not None:
        served.chat()
    assert served.chat().status == 200


@pytest.mark.parametrize("streams", [False, True])
def test_content_is_kept_as_the_settings_have_it(serve: Serve, upstream: Upstream, streams: bool) -> None:
    served = audited(serve, upstream, stream() if streams else answer(), audit={"content": "full"})
    response = served.chat(user="eve", stream=streams)
    (record,) = on_record(served, response)
    auditor = served.gateway.auditor
    auditor.contents.flush()
    eve = auditor.subjects.of("", "eve")
    assert record.content == "full"
    assert auditor.contents.find(eve, record.id, "prompt") == chat_body(user="eve", stream=streams)
    assert auditor.contents.find(eve, record.id, "answer") == response.body


def test_what_is_masked_for_the_provider_is_masked_here(serve: Serve, upstream: Upstream) -> None:
    guardrails = {"hide": {"mask": {}}}
    served = audited(serve, upstream, audit={"content": "masked"}, guardrails=guardrails)
    response = served.chat(messages=[{"role": "user", "content": "Write to ann.smith@example.com please."}])
    (record,) = on_record(served, response)
    auditor = served.gateway.auditor
    auditor.contents.flush()
    kept = auditor.contents.find(auditor.subjects.of("", ""), record.id, "prompt")
    assert kept is not None
    assert json.loads(kept)["messages"] == upstream.received()[0].json["messages"]
    assert b"ann.smith" not in kept
    assert auditor.contents.find(auditor.subjects.of("", ""), record.id, "answer") is None


def test_what_is_not_to_be_logged_is_not_kept(serve: Serve, upstream: Upstream) -> None:
    key = {"name": "k", "secret": create_secret(), "allow_no_log": True}
    served = audited(serve, upstream, audit={"content": "full"}, keys=[key])
    headers = {"authorization": f"Bearer {key['secret']}", "x-dragoman-no-log": "true"}
    (record,) = on_record(served, served.chat(headers=headers))
    assert record.content == ""


def test_switched_off_nothing_is_written(serve: Serve, upstream: Upstream) -> None:
    served = audited(serve, upstream, audit={"mode": "off"})
    assert served.chat().status == 200
    assert not served.gateway.auditor.trail.directory.exists()


def test_what_holds_at_once_and_what_from_the_next_start(
    serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    served = audited(serve, upstream, audit={"mode": "off"})
    served.gateway.auditor.replace(Audit(mode="strict", directory="/elsewhere"))
    assert "audit: directory holds from the next start on" in caplog.text
    refused = served.chat()
    assert (refused.status, refused.code) == (503, "audit_unavailable")
    served.gateway.auditor.replace(Audit(mode="off", directory="/elsewhere", content="full"))
    assert served.chat().status == 200


ERRORS: list[tuple[RequestError | None, str, str]] = [
    (None, "allowed", ""),
    (GuardrailBlocked("g", "reason"), "refused", "guardrail:g"),
    (Forbidden("no"), "refused", "forbidden"),
    (UpstreamCut("cut"), "failed", ""),
    (Internal("bug"), "failed", ""),
]


@pytest.mark.parametrize(("error", "decision", "rule"), ERRORS)
def test_what_became_of_it(error: RequestError | None, decision: str, rule: str) -> None:
    assert (decision_of(error), rule_of(error)) == (decision, rule)


def test_which_limit_refused_it() -> None:
    for kind in (LimitExceeded, BudgetExceeded):
        error = kind("no")
        error.limit = "money"
        assert rule_of(error) == "limit:money"


def test_the_answer_in_these_tests() -> None:
    assert b"Hello" in chat_answer()
