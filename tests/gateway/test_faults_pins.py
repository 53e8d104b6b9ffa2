"""What the gateway does when a provider's key is another than those that are pinned: U14."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.certificates import context_of, pin_of
from tests.gateway.client import chat
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.ring import Pair, Ring
from tests.gateway.test_faults_reload import snapshot, wait_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, finish

AUTHORITY = trustme.CA()
# The key that a provider has, the one that it changes to, and one that it has not; all of one authority.
FIRST, NEXT, OTHER = (AUTHORITY.issue_cert("127.0.0.1") for _ in range(3))
PINS = {
    "pinned": [FIRST],
    "pinned_after": [FIRST],
    "both_pinned": [OTHER, FIRST, NEXT],
    "not_pinned": [],
    "other_pinned": [OTHER],
}


@dataclass
class Provider:
    """A provider in TLS, and how the gateway's pair for it is asked."""

    upstream: Upstream
    pair: Pair

    def changes_its_key(self) -> None:
        """Closes its pooled connection, and comes back with another certificate."""
        assert self.upstream.closed(0) is not None
        self.upstream.restart(context_of(NEXT))

    @property
    def has_learnt_nothing_since(self) -> bool:
        """Whether no connection but the first has brought it a byte."""
        return all(not connection.received for connection in self.upstream.connections[1:])


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def providers(ca_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Provider]]:
    with contextlib.ExitStack() as stack:
        upstreams = {name: stack.enter_context(Upstream(tls=context_of(FIRST))) for name in PINS}
        for upstream in upstreams.values():
            upstream.reply(expect, answer(), finish)
            upstream.reply(expect, answer(chat_answer("Again.")))
        urls: dict[str, dict[str, Any]] = {
            name: {"base_url": upstreams[name].base_url, "ca_file": ca_file, "pins": list(map(pin_of, pinned))}
            for name, pinned in PINS.items()
        }
        ring = stack.enter_context(Ring(tmp_path_factory.mktemp("pins"), 0, urls))
        yield lambda name: Provider(upstreams[name], ring.named(name))
        ring.check()


def reason(certificate: trustme.LeafCert) -> str:
    return f"the server's key is not pinned: it is {pin_of(certificate)}"


def test_u14_another_key_is_refused(providers: Callable[[str], Provider]) -> None:
    provider = providers("pinned")
    pair = provider.pair
    assert pair.ask(pair.once).text == "Hello."
    provider.changes_its_key()
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_tls")
    assert response.error["message"].endswith(reason(NEXT))
    assert (len(provider.upstream.requests), provider.has_learnt_nothing_since) == (1, True)
    assert [(row["status"], row["error_code"]) for row in pair.rows(2)] == [(200, ""), (502, "upstream_tls")]


def test_u14_another_provider_is_asked_and_the_log_says_why(providers: Callable[[str], Provider]) -> None:
    provider = providers("pinned_after")
    pair = provider.pair
    assert pair.ask(pair.once).text == "Hello."
    provider.changes_its_key()
    response = pair.ask()
    assert (response.text, response.headers["x-dragoman-fallback-index"]) == ("Hello.", "1")
    assert (len(provider.upstream.requests), provider.has_learnt_nothing_since) == (1, True)
    attempts = json.loads(pair.rows(2)[-1]["attempt_log"])
    assert [attempt["outcome"] for attempt in attempts] == ["upstream_tls", "ok"]
    logged = f"pinned_aftera: The connection to pinned_aftera is not secure: TLS: {reason(NEXT)}\n"
    assert logged in pair.gateway.output


@pytest.mark.parametrize("name", ["both_pinned", "not_pinned"])
def test_u14_a_key_that_may_be_is_gone_on_with(providers: Callable[[str], Provider], name: str) -> None:
    provider = providers(name)
    pair = provider.pair
    assert pair.ask(pair.once).text == "Hello."
    provider.changes_its_key()
    assert pair.ask(pair.once).text == "Again."
    assert [request.connection.number for request in provider.upstream.requests] == [0, 1]


@pytest.mark.parametrize("stream", [True, False])
def test_u14_a_key_that_never_was_pinned_is_told_nothing(providers: Callable[[str], Provider], stream: bool) -> None:
    provider = providers("other_pinned")
    assert provider.pair.ask(provider.pair.once, stream=stream).error["code"] == "upstream_tls"
    assert provider.upstream.requests == []
    assert all(not connection.received for connection in provider.upstream.connections)


def test_u14_pins_hold_for_connections_from_before_they_were_set(ca_file: str, tmp_path: Path) -> None:
    def configured(*pinned: trustme.LeafCert) -> dict[str, Any]:
        provider = {"ca_file": ca_file, "pins": list(map(pin_of, pinned))}
        return config_for(upstream.base_url, provider=provider, route={"retries": 0})

    def set_pins(*pinned: trustme.LeafCert) -> None:
        before = snapshot(running)
        running.write(configured(*pinned))
        running.signal(signal.SIGHUP)
        wait_for(lambda: snapshot(running) > before, "the pins")

    with Upstream(tls=context_of(FIRST)) as upstream, Gateway(configured(), tmp_path) as running:
        assert [chat(running.port).status for _ in range(2)] == [200, 200]
        assert upstream.open_connections == len(upstream.connections) == 1
        set_pins(OTHER)
        response = chat(running.port)
        assert (response.status, response.error["code"]) == (502, "upstream_tls")
        assert len(upstream.requests) == 2
        set_pins(OTHER, FIRST)
        assert chat(running.port).status == 200
        # The connections of the first two and of the last answer; between them is the one that was refused.
        assert [request.connection.number for request in upstream.requests] == [0, 0, 2]
