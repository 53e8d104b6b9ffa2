from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import pytest

from dragoman.rehearsal.faults import broken, refusal
from dragoman.rehearsal.plan import Plan, Step
from dragoman.rehearsal.script import Break, Cut, Malformed, Refuse, Script, Stall

STREAM = Plan(
    headers=[("content-type", "text/event-stream")], steps=[Step(0.1, b"%d;" % n) for n in range(5)], streams=True
)
WHOLE = Plan(headers=[("content-type", "application/json")], steps=[Step(0.0, b'{"a":"0123456789"}')], delay_s=1.0)


def data(plan: Plan) -> bytes:
    return b"".join(step.data for step in plan.steps)


def test_a_healthy_script_changes_nothing() -> None:
    assert broken(STREAM, Script(), 5) is STREAM
    assert broken(WHOLE, Script(refuse=500), 5) is WHOLE


@pytest.mark.parametrize("kept", range(5))
def test_a_cut_keeps_so_many_chunks_and_announces_more(kept: int) -> None:
    plan = broken(STREAM, Script(cut=kept), 5)
    assert data(plan) == data(STREAM)[: 2 * kept]
    assert (plan.closes, plan.announced) == (True, 10)


def test_a_cut_may_end_the_body_properly() -> None:
    plan = broken(STREAM, Script(cut=Cut(after_chunks=2, how="end")), 5)
    assert (data(plan), plan.closes, plan.announced) == (b"0;1;", False, None)


def test_a_cut_past_the_end_is_none() -> None:
    assert broken(STREAM, Script(cut=5), 5) == STREAM


@pytest.mark.parametrize("kept", range(4))
def test_a_whole_body_is_cut_in_parts(kept: int) -> None:
    plan = broken(WHOLE, Script(cut=kept), 4)
    assert data(WHOLE).startswith(data(plan))
    assert len(data(plan)) == 18 * kept // 4
    assert (plan.announced, plan.delay_s) == (18, 1.0)


def test_a_stall_before_the_first_byte_is_a_later_start() -> None:
    assert broken(STREAM, Script(stall=2.0), 5).delay_s == 2.0
    assert broken(WHOLE, Script(stall=2.0), 5).delay_s == 3.0


def test_a_stall_later_is_a_gap() -> None:
    plan = broken(STREAM, Script(stall=Stall(after_chunks=3, seconds=7.0)), 5)
    assert [step.delay_s for step in plan.steps] == [0.1, 0.1, 0.1, 7.1, 0.1]
    assert data(plan) == data(STREAM)
    assert broken(STREAM, Script(stall=Stall(after_chunks=5)), 5) == STREAM


def test_an_error_in_a_stream_is_its_last_event() -> None:
    plan = broken(STREAM, Script(error=Break(after_chunks=2, message="m", type="t", code="c")), 5)
    assert data(plan)[:4] == b"0;1;"
    assert json.loads(data(plan)[4:].removeprefix(b"data: ")) == {
        "error": {"message": "m", "type": "t", "param": None, "code": "c"}
    }
    assert plan.status == 200


def test_an_error_in_a_whole_answer_is_all_of_it_under_200() -> None:
    plan = broken(WHOLE, Script(error=0), 5)
    assert plan.status == 200
    assert json.loads(data(plan))["error"]["type"] == "server_error"


@pytest.mark.parametrize("kind", ["json", "line", "utf8", "html"])
def test_garbage_goes_between_good_chunks(kind: str) -> None:
    plan = broken(STREAM, Script(malformed=Malformed(after_chunks=1, kind=kind)), 5)  # type: ignore[arg-type]
    assert data(plan).startswith(b"0;")
    assert data(plan).endswith(b"1;2;3;4;")
    assert len(plan.steps) == 6


@pytest.mark.parametrize("kind", ["json", "line", "utf8", "html"])
@pytest.mark.parametrize("at", range(5))
def test_garbage_spoils_a_whole_body_wherever_it_falls(kind: str, at: int) -> None:
    plan = broken(WHOLE, Script(malformed=Malformed(after_chunks=at, kind=kind)), 4)  # type: ignore[arg-type]
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        json.loads(data(plan))


def test_html_says_so_in_the_type() -> None:
    plan = broken(WHOLE, Script(malformed=Malformed(kind="html")), 4)
    assert plan.headers == [("content-type", "text/html")]


@pytest.mark.parametrize(
    ("form", "seconds", "headers"),
    [
        ("seconds", 7, {"retry-after": "7"}),
        ("seconds", -1, {"retry-after": "-1"}),
        ("seconds", 1e9, {"retry-after": "1e+09"}),
        ("seconds", 0.5, {"retry-after": "0.5"}),
        ("milliseconds", 1.5, {"retry-after-ms": "1500"}),
        (
            "reset_headers",
            360,
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
        ),
    ],
)
def test_each_form_of_retry_after(form: str, seconds: float, headers: dict[str, str]) -> None:
    plan = refusal(Refuse(status=429, retry_after_s=seconds, retry_after_form=form), [], 0.0)  # type: ignore[arg-type]
    assert dict(plan.headers) == {"content-type": "application/json", **headers}
    assert plan.status == 429


def test_the_date_form_counts_from_now() -> None:
    plan = refusal(Refuse(status=503, retry_after_s=90, retry_after_form="date"), [("a", "b")], 1_700_000_000.0)
    said = parsedate_to_datetime(dict(plan.headers)["retry-after"])
    assert said.timestamp() == 1_700_000_090
    assert ("a", "b") in plan.headers


def test_a_refusal_speaks_openais_words_or_its_own() -> None:
    error = json.loads(data(refusal(Refuse(status=401), [], 0.0)))["error"]
    assert error["code"] == "invalid_api_key"
    error = json.loads(data(refusal(Refuse(status=418, message="m", type="t", code="c"), [], 0.0)))["error"]
    assert error == {"message": "m", "type": "t", "param": None, "code": "c"}
    plan = refusal(Refuse(status=502, body="<html>", content_type="text/html", headers={"via": "x"}), [], 0.0)
    assert (data(plan), plan.headers) == (b"<html>", [("content-type", "text/html"), ("via", "x")])
