"""What the gateway does when a provider misuses HTTP/2: U27 and U28."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import trustme
from h2.settings import SettingCodes
from tests.gateway.http2 import (
    Behaviour,
    context_for,
    continuation_flood,
    go_away_served,
    go_away_unserved,
    half,
    http2,
    nothing,
    ping_flood,
    refuse,
    reset_flood,
    respond,
    settings_flood,
)
from tests.gateway.ring import Ring
from tests.gateway.upstream import Step, Upstream

UPSTREAMS: dict[str, Step] = {
    "good": http2(respond),
    "refused": http2(refuse, respond),
    "refused_always": http2(refuse),
    "going_away": http2(go_away_unserved, respond),
    "going_away_after": http2(go_away_served, respond),
    "half": http2(half),
    "silent": http2(nothing),
    "no_window": http2(nothing, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}),
    "no_streams": http2(nothing, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 0}),
}
FLOODS: dict[str, Behaviour] = {
    "resets": reset_flood,
    "settings": settings_flood,
    "pings": ping_flood,
    "continuations": continuation_flood,
}


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Upstream]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path_factory.getbasetemp() / "http2-ca.pem"))
    context = context_for(authority.issue_cert("127.0.0.1"))
    steps = UPSTREAMS | {name: http2(flood) for name, flood in FLOODS.items()}
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Upstream(tls=context, on_connect=[step])) for name, step in steps.items()}


@pytest.fixture(scope="module")
def ring(upstreams: dict[str, Upstream], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    ca_file = str(tmp_path_factory.getbasetemp() / "http2-ca.pem")
    urls = {name: {"base_url": upstream.base_url, "ca_file": ca_file} for name, upstream in upstreams.items()}
    with Ring(tmp_path_factory.mktemp("http2"), 0, urls) as ring:
        yield ring
        ring.check()


def test_http2_is_spoken_on_one_connection(ring: Ring, upstreams: dict[str, Upstream]) -> None:
    pair = ring.named("good")
    for _ in range(5):
        assert pair.ask(pair.once).text == "Hello."
    assert len(upstreams["good"].connections) == 1


@pytest.mark.parametrize("name", ["refused", "going_away"])
def test_u27_what_was_not_begun_is_sent_again(ring: Ring, name: str) -> None:
    pair = ring.named(name)
    assert pair.ask(pair.alone).text == "Hello."
    assert pair.row()["status"] == 200


def test_u27_a_stream_before_the_going_away_is_finished(ring: Ring, upstreams: dict[str, Upstream]) -> None:
    pair = ring.named("going_away_after")
    assert pair.ask(pair.once).text == "Hello."
    assert pair.ask(pair.once).text == "Hello."
    assert len(upstreams["going_away_after"].connections) == 2


@pytest.mark.parametrize("name", ["refused_always", "half", "silent", "no_window", "no_streams"])
def test_u27_u28_what_does_not_come_right_falls_back(ring: Ring, name: str) -> None:
    pair = ring.named(name)
    assert pair.ask().text == "Hello."
    row = pair.row()
    assert (row["status"], row["fallback_index"]) == (200, 1)


@pytest.mark.parametrize("name", FLOODS)
def test_u28_floods_are_left_and_nobody_else_notices(ring: Ring, name: str) -> None:
    before = ring.gateway.resident_bytes
    pair = ring.named(name)
    assert pair.ask().text == "Hello."
    good = ring.named("good")
    assert good.ask(good.once).text == "Hello."
    # The connection is closed at once, or at the latest when the pool next looks for idle ones.
    assert pair.ask().text == "Hello."
    assert ring.gateway.resident_bytes - before < 32 * 1024 * 1024
