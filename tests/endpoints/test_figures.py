from __future__ import annotations

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, Served
from tests.telemetry.test_metrics import read

from dragoman.endpoints.figures import figures_of
from dragoman.telemetry.node import NodeFigures


def test_figures_in_prometheus_s_format(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    served.chat()
    exposed = served.get("/metrics")
    assert exposed.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    series = read(exposed.body.decode())
    names = {name for name, _ in series}
    assert {"dragoman_in_flight", "dragoman_breaker", "dragoman_snapshot", "dragoman_usage_rows_queued"} <= names
    assert series["dragoman_snapshot", frozenset()] == 1
    assert series["dragoman_internal_errors_total", frozenset()] == 0
    counted = [value for (name, _), value in series.items() if name == "dragoman_request_seconds_count"]
    assert counted == [1]
    (member,) = [dict(labels)["member"] for name, labels in series if name == "dragoman_in_flight"]
    assert member.startswith("up0#")


def test_figures_may_be_switched_off(serve: Serve) -> None:
    served = serve({"server": {"metrics": False}})
    assert served.get("/metrics").status == 404
    assert served.get("/healthz").status == 200


def test_of_several_workers_the_one_that_is_asked_answers_for_all(served: Served, upstream: Upstream) -> None:
    """Here two workers have the same figures, so what is summed is twice and what is the highest once what it is."""
    gateway = served.gateway
    nodes = [NodeFigures(gateway.store.directory, "life", number, 2, lambda: figures_of(gateway)) for number in (0, 1)]
    upstream.reply(expect, answer())
    assert served.chat().status == 200
    nodes[1].tell()
    gateway.node = nodes[0]
    found = served.get("/metrics")
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    series = read(found.body.decode())
    assert [value for (name, _), value in series.items() if name == "dragoman_request_seconds_count"] == [2]
    alone = {(family.name, labels): value for family in figures_of(gateway) for _, labels, value in family.samples}
    for family in figures_of(gateway):
        for name, labels, value in family.samples:
            if family.kind != "gauge":
                continue
            if family.over == "each":
                for worker in "01":
                    assert series[name, frozenset({("worker", worker), *labels})] == value
            elif family.over == "max":
                assert series[name, frozenset(labels)] == pytest.approx(alone[name, labels])
            else:
                assert series[name, frozenset(labels)] == 2 * value
