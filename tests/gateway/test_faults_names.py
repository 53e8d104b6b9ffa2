"""What stands between a provider's name and a connection that may be used: certificates and addresses, U13 to U17.

Pinned keys, U14, are in ``test_faults_pins.py``.
"""

from __future__ import annotations

import contextlib
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme
from tests.certificates import context_of
from tests.gateway.ring import Pair, Ring
from tests.gateway.upstream import Upstream, answer, expect, head, hold, send

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass
class Servers:
    """TLS servers, by what is wrong with their certificates."""

    by_name: dict[str, Upstream]
    ca_file: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    authority, stranger = trustme.CA(), trustme.CA()
    ca_file = tmp_path_factory.mktemp("roots") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    certificates = {
        "good": authority.issue_cert("127.0.0.1", "localhost"),
        "unknown_issuer": stranger.issue_cert("127.0.0.1"),
        "expired": authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2002)),
        "wrong_name": authority.issue_cert("other.example"),
    }
    contexts = {name: context_of(certificate) for name, certificate in certificates.items()}
    contexts["old_tls"] = _old(context_of(certificates["good"]))
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(Upstream(tls=context)) for name, context in contexts.items()}
        yield Servers(started, str(ca_file))


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.fixture(scope="module")
def ring(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    urls: dict[str, dict[str, Any]] = {
        name: {"base_url": upstream.base_url, "ca_file": servers.ca_file} for name, upstream in servers.by_name.items()
    }
    good = servers.by_name["good"]
    not_tls = send(head(400, content_length="0"))
    with Upstream() as plain, Upstream(on_connect=[not_tls, hold]) as puzzled:
        urls |= {
            "by_name": {"base_url": f"https://localhost:{good.port}/v1", "ca_file": servers.ca_file},
            "plain_by_name": {"base_url": f"http://localhost:{plain.port}/v1"},
            "tls_to_plain": {"base_url": f"https://127.0.0.1:{puzzled.port}/v1", "ca_file": servers.ca_file},
            "private": {"base_url": f"http://localhost:{plain.port}/v1", "allow_private": False},
            "no_such_name": {"base_url": "http://no-such-name.invalid/v1"},
        }
        with Ring(tmp_path_factory.mktemp("names"), 0, urls) as ring:
            yield ring
            ring.check()


def test_a_good_certificate_is_trusted(ring: Ring, servers: Servers) -> None:
    upstream = servers.by_name["good"]
    upstream.reply(expect, answer())
    assert ring.named("good").ask("good-once").text == "Hello."
    assert upstream.received()[0].headers["host"].startswith("127.0.0.1")


@pytest.mark.parametrize("name", ["unknown_issuer", "expired", "wrong_name", "old_tls", "tls_to_plain"])
def test_u13_nothing_is_sent_to_a_server_that_is_not_who_it_should_be(ring: Ring, servers: Servers, name: str) -> None:
    pair = ring.named(name)
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_tls")
    assert pair.ask().text == "Hello."
    rows = pair.rows(2)
    assert [row["error_code"] for row in rows] == ["upstream_tls", ""]
    if name in servers.by_name:
        upstream = servers.by_name[name]
        assert upstream.requests == []
        assert all(not connection.received for connection in upstream.connections)


def test_u15_a_name_that_does_not_exist_falls_back(ring: Ring) -> None:
    pair = ring.named("no_such_name")
    assert pair.ask().text == "Hello."
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_unreachable")


def test_u16_a_private_address_behind_a_name_is_refused(ring: Ring) -> None:
    pair = ring.named("private")
    response = pair.ask(pair.once)
    assert (response.status, response.error["code"]) == (502, "upstream_address_refused")
    assert pair.row()["error_code"] == "upstream_address_refused"


@pytest.mark.parametrize("name", ["by_name", "plain_by_name"])
def test_u17_a_name_with_addresses_that_nobody_listens_on_is_reached(ring: Ring, name: str) -> None:
    """``localhost`` is ``::1`` as well, where nobody listens."""
    pair: Pair = ring.named(name)
    response = pair.ask(pair.once)
    assert (response.status, response.text) == (200, "Hello.")
