from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import msgspec
import pytest
from tests.access.provider import Provider

from dragoman.access import issuers as module
from dragoman.access.issuers import READ_EVERY_S, RETRY_AFTER_S, Issuers
from dragoman.access.tokens import Tokens
from dragoman.config.signing_in import Identity
from dragoman.core import Upstream
from dragoman.errors import ConfigError


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    running = asyncio.new_event_loop()
    thread = Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join(10)
    running.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


def known(loop: asyncio.AbstractEventLoop, clock: Clock, **settings: Any) -> Issuers:
    issuers = Issuers(Tokens(), Upstream(loop), loop, monotonic_s=lambda: clock.now)
    issuers.replace(msgspec.convert({"issuers": {"sso": settings}}, Identity))
    return issuers


def until(is_so: Any) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_keys_are_read_ahead_and_again(loop: asyncio.AbstractEventLoop, provider: Provider) -> None:
    clock = Clock()
    issuers = known(loop, clock, **provider.settings())
    verifier = issuers.tokens.verifiers["sso"]
    until(lambda: verifier.keys is not None)
    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]
    issuers.look()
    clock.now += READ_EVERY_S + 1
    issuers.look()
    until(lambda: len(provider.asked) == 4)


def test_a_key_that_is_not_known_is_asked_for_but_not_at_once_again(
    loop: asyncio.AbstractEventLoop, provider: Provider
) -> None:
    clock = Clock()
    issuers = known(loop, clock, **provider.settings(jwks_url=f"{provider.url}/jwks"))
    verifier = issuers.tokens.verifiers["sso"]
    until(lambda: verifier.keys is not None)
    verifier.wants_keys = True
    issuers.look()
    assert provider.asked == ["/jwks"]
    clock.now += RETRY_AFTER_S + 1
    issuers.look()
    until(lambda: provider.asked == ["/jwks", "/jwks"] and not verifier.wants_keys)


def test_an_issuer_that_fails_is_named_and_tried_again(loop: asyncio.AbstractEventLoop, provider: Provider) -> None:
    clock = Clock()
    provider.fails = True
    issuers = known(loop, clock, **provider.settings())
    until(lambda: "sso" in issuers.failures)
    assert "status 500" in issuers.failures["sso"]
    provider.fails = False
    clock.now += RETRY_AFTER_S + 1
    issuers.look()
    until(lambda: issuers.failures == {} and issuers.documents)


def test_a_document_of_another_is_not_believed(loop: asyncio.AbstractEventLoop, provider: Provider) -> None:
    provider.issuer_says = "https://elsewhere.example"
    issuers = known(loop, Clock(), **provider.settings())
    until(lambda: "sso" in issuers.failures)
    assert "elsewhere" in issuers.failures["sso"]
    assert issuers.tokens.verifiers["sso"].keys is None


def test_private_addresses_are_refused_unless_allowed(loop: asyncio.AbstractEventLoop, provider: Provider) -> None:
    issuers = known(loop, Clock(), **provider.settings(allow_private=False))
    until(lambda: "sso" in issuers.failures)
    assert provider.asked == []


def test_what_is_not_installed_is_said(
    loop: asyncio.AbstractEventLoop, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"dragoman\[oidc\]"):
        known(loop, Clock(), **provider.settings())
