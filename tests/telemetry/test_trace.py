from __future__ import annotations

import pytest

from dragoman.telemetry.trace import outgoing_trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_a_trace_is_continued_under_a_span_of_ours() -> None:
    trace = outgoing_trace({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b"})
    assert trace is not None
    version, trace_id, span, flags = trace.traceparent.split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert span != SPAN
    assert len(span) == 16
    assert (trace.trace_id, trace.tracestate) == (TRACE, "a=b")


def test_each_request_has_its_span() -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    spans = {trace.traceparent for _ in range(100) if (trace := outgoing_trace(headers))}
    assert len(spans) == 100


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"01-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_what_cannot_be_read_is_not_sent_on(given: str) -> None:
    assert outgoing_trace({"traceparent": given, "tracestate": "a=b"}) is None
    assert outgoing_trace({}) is None
