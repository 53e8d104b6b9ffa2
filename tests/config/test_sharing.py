from __future__ import annotations

from typing import Any

import pytest

from dragoman.config.check import check
from dragoman.config.schema import Config, Server, Store
from dragoman.config.sharing import Redis
from dragoman.config.tree import Node, Problems
from dragoman.errors import ConfigError

POSTGRES = Store(url="postgresql+psycopg://localhost/dragoman")
SHARED = Redis(url="redis://localhost")


def problems(**fields: Any) -> list[str]:
    found = Problems("f", Node({}))
    check(Config(**fields), found, None)
    try:
        found.raise_if_any()
    except ConfigError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "set store.url: postgresql+psycopg://... and redis.url: redis://..."),
        ({"store": POSTGRES}, "set redis.url: redis://..."),
        ({"redis": SHARED}, "set store.url: postgresql+psycopg://..."),
    ],
)
def test_several_processes_need_servers_that_they_share(fields: dict[str, Any], said: str) -> None:
    (problem,) = problems(server=Server(workers=4), **fields)
    assert "server.workers" in problem
    assert problem.endswith(said)


def test_with_those_they_are_taken() -> None:
    assert problems(server=Server(workers=4), store=POSTGRES, redis=SHARED) == []


@pytest.mark.parametrize("url", ["redis://u:p@h:6379/1", "rediss://h", "valkey://h", "unix:///run/valkey.sock"])
def test_addresses(url: str) -> None:
    assert problems(redis=Redis(url=url)) == []


@pytest.mark.parametrize(
    ("redis", "field"),
    [
        (Redis(url="http://h"), "redis.url"),
        (Redis(url=""), "redis.url"),
        (Redis(url="redis://h", prefix="{x}"), "prefix"),
    ],
)
def test_what_is_none(redis: Redis, field: str) -> None:
    (problem,) = problems(redis=redis)
    assert field in problem
