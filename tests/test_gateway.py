from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import PATIENCE_S, Served

from dragoman.access.secret import create_secret
from dragoman.config.schema import Config
from dragoman.core import Reply
from dragoman.errors import ConfigError, StoreError, Unauthenticated
from dragoman.gateway import Gateway
from dragoman.server.request import Request

PROVIDER = {"base_url": "http://127.0.0.1:9/v1", "allow_private": True, "proxy": "none"}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def config(tmp_path: Path, **fields: Any) -> Config:
    usual = {"store": {"data_dir": str(tmp_path)}, "providers": {"p": PROVIDER}, "rehearsal": {"enabled": False}}
    return convert(usual | fields, Config)


def request(**headers: str) -> Request:
    proto: Any = None
    made = Request("req_1", proto, Reply(proto, ""))
    made.headers = headers
    return made


@pytest.fixture
def gateway(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> Iterator[Gateway]:
    gateway = Gateway(config(tmp_path), loop, {})
    yield gateway
    gateway.close()


def test_without_keys_everybody_on_this_machine_is_served(gateway: Gateway) -> None:
    assert gateway.authenticate(request()).name == "anonymous"


def test_with_a_key_only_its_holder_is(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    secret = create_secret()
    gateway = Gateway(config(tmp_path, keys=[{"name": "web", "secret": secret}]), loop, {})
    try:
        assert gateway.authenticate(request(authorization=f"Bearer {secret}")).name == "web"
        for headers in ({}, {"authorization": "Bearer dgk_other"}, {"x-api-key": create_secret()}):
            with pytest.raises(Unauthenticated) as caught:
                gateway.authenticate(request(**headers))
            assert secret not in caught.value.message
    finally:
        gateway.close()


def test_reachable_by_others_it_refuses_to_start_without_a_key(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(ConfigError, match="dragoman keys create"):
        Gateway(config(tmp_path, server={"host": "0.0.0.0"}), loop, {})
    Gateway(config(tmp_path), loop, {}).close()  # the database was let go of


def test_a_second_one_on_the_same_database_refuses(
    gateway: Gateway, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    with pytest.raises(StoreError, match="another server"):
        Gateway(config(tmp_path), loop, {})


def test_a_new_configuration_is_a_new_snapshot_and_the_old_one_stays(gateway: Gateway, tmp_path: Path) -> None:
    old = gateway.snapshot
    gateway.note_problems(["nonsense"])
    gateway.replace(config(tmp_path, routes={"r": {"tiers": [["p/m"]]}}))
    assert (gateway.snapshot.number, list(gateway.snapshot.plans)) == (2, ["r"])
    assert (old.number, old.plans) == (1, {})
    assert gateway.problems == []
    assert (gateway.metrics.reloads, gateway.metrics.failed_reloads) == (1, 1)


def test_one_that_cannot_be_built_changes_nothing(gateway: Gateway, tmp_path: Path) -> None:
    deployments = {"a": {"provider": "p", "model": "m", "tokenizer": "/nowhere.json"}}
    with pytest.raises(ConfigError):
        gateway.replace(config(tmp_path, deployments=deployments))
    assert gateway.snapshot.number == 1


def test_what_answers_come_to_is_learnt(gateway: Gateway) -> None:
    assert gateway.typical_output("a") == 256
    for _ in range(200):
        gateway.learn_output("a", 40)
    assert gateway.typical_output("a") == 40
    assert gateway.typical_output("b") == 256


def test_what_is_closed_is_let_go_of(tmp_path: Path, upstream: Upstream) -> None:
    """With its threads, its connections and its files."""
    with Served(config_for(upstream.base_url, cache={"mode": "on"}), tmp_path) as served:
        for cached in ("miss", "hit", "hit"):
            assert served.chat().headers["x-dragoman-cache"] == cached
        closed = weakref.ref(served.gateway)
    del served
    by_s = time.monotonic() + PATIENCE_S
    while closed() is not None:
        gc.collect()
        assert time.monotonic() < by_s
