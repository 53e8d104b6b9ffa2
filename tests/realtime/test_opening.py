from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.certificates import context_of, hash_of, pin_of
from tests.gateway.gateway import Gateway
from tests.realtime.provider import Sessions
from tests.realtime.talking import configuration, opened, pass_on
from tests.realtime.test_upstream import door, first_frame, url_of
from websockets.exceptions import InvalidStatus

from dragoman.errors import UpstreamStatus, UpstreamTls

AUTHORITY = trustme.CA()
CERTIFICATE, OTHER = (AUTHORITY.issue_cert("127.0.0.1") for _ in range(2))
CA_PEM = AUTHORITY.cert_pem.bytes()
REASON = f"the server's key is not pinned: it is {pin_of(CERTIFICATE)}"
NOT_SECURE = f"The connection to openai is not secure: {REASON}."


@pytest.fixture(scope="module")
def provider() -> Iterator[Sessions]:
    sessions = Sessions(context_of(CERTIFICATE))
    yield sessions
    sessions.close()


@pytest.fixture(autouse=True)
def fresh(provider: Sessions) -> None:
    provider.opened.clear()


@contextlib.contextmanager
def tunnelling() -> Iterator[str]:
    """A proxy that opens one tunnel, and its URL."""

    def serve() -> None:
        client, _ = listener.accept()
        host, _, port = client.recv(65536).split(b" ")[1].partition(b":")
        with client, socket.create_connection((host.decode(), int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pass_on(client, server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize("pinned", [[], [CERTIFICATE], [OTHER, CERTIFICATE]])
def test_a_session_is_opened_with_a_pinned_key(provider: Sessions, pinned: list[trustme.LeafCert]) -> None:
    at = door(ca_pem=CA_PEM, pins=[hash_of(one) for one in pinned])
    assert "session.created" in first_frame(url_of(provider), at)


@pytest.mark.parametrize("through", ["nothing", "a tunnel"])
def test_another_key_is_asked_for_nothing(provider: Sessions, through: str) -> None:
    with tunnelling() if through == "a tunnel" else contextlib.nullcontext("none") as proxy:
        at = door(ca_pem=CA_PEM, pins=[hash_of(OTHER)], proxy=proxy)
        with pytest.raises(UpstreamTls) as raised:
            first_frame(url_of(provider), at)
    assert raised.value.message == NOT_SECURE
    assert provider.opened == []


def test_a_pinned_key_is_taken_through_a_tunnel(provider: Sessions) -> None:
    with tunnelling() as proxy:
        at = door(ca_pem=CA_PEM, pins=[hash_of(CERTIFICATE)], proxy=proxy)
        assert "session.created" in first_frame(url_of(provider), at)


def test_a_pinned_key_makes_up_for_nothing_else(provider: Sessions) -> None:
    at = door(ca_pem=trustme.CA().cert_pem.bytes(), pins=[hash_of(CERTIFICATE)])
    with pytest.raises(UpstreamTls, match="CERTIFICATE_VERIFY_FAILED"):
        first_frame(url_of(provider), at)
    assert provider.opened == []


def test_without_tls_there_is_no_key() -> None:
    plain = Sessions()
    try:
        with pytest.raises(UpstreamTls, match="there is no TLS"):
            first_frame(url_of(plain), door(pins=[hash_of(CERTIFICATE)]))
        assert plain.opened == []
    finally:
        plain.close()


def test_the_row_and_the_log_tell(provider: Sessions, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(CA_PEM)
    config: dict[str, Any] = configuration(provider.base_url)
    pinned = {"ca_file": str(ca_file), "pins": [pin_of(OTHER)]}
    config["providers"]["openai"] |= pinned
    with Gateway(config, tmp_path) as running:
        with pytest.raises(InvalidStatus) as raised:
            opened(running)
        assert raised.value.response.status_code == 502
        assert running.rows(1)[0]["error_code"] == "upstream_tls"
        assert f"voice: {NOT_SECURE}" in running.output
    assert provider.opened == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_provider_that_sends_elsewhere_has_said_no(provider: Sessions, status: int) -> None:
    elsewhere = Sessions(context_of(CERTIFICATE))
    provider.status, provider.location = status, url_of(elsewhere)
    try:
        with pytest.raises(UpstreamStatus, match=f"openai answered {status}"):
            first_frame(url_of(provider), door(ca_pem=CA_PEM))
        provider.location = "/v1/realtime?model=other"
        with pytest.raises(UpstreamStatus):
            first_frame(url_of(provider), door(ca_pem=CA_PEM))
        assert (len(provider.opened), elsewhere.opened) == (2, [])
    finally:
        provider.status, provider.location = 0, ""
        elsewhere.close()


def test_certificates_are_trusted_beside_the_platform_s(
    provider: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "platform.pem").write_bytes(CA_PEM)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "platform.pem"))
    other = trustme.CA().cert_pem.bytes()
    assert "session.created" in first_frame(url_of(provider), door(ca_pem=other))
