"""Budgets of a real gateway: many clients at once, and a process that is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pysqlite3 import dbapi2
from tests.gateway.client import post
from tests.gateway.gateway import Gateway

CHAT = "/v1/chat/completions"
INPUT = {"model": "vectors", "input": "The same text each time."}
PRICE = {"input_usd_mtok": 1000.0, "output_usd_mtok": 1000.0}
Start = Callable[[dict[str, Any]], Gateway]


def config(limits: dict[str, Any], **fields: Any) -> dict[str, Any]:
    rehearsal = {"enabled": True, "time_to_first_token_s": 0.02, "tokens_per_s": 100_000, "price": PRICE}
    deployment = {"provider": "rehearsal", "model": "text-embedding-3-small"}
    return {
        "rehearsal": rehearsal,
        "deployments": {"vectors": deployment},
        "routes": {"vectors": {"tiers": [["vectors"]]}},
        "limits": limits,
    } | fields


def ask(port: int, path: str = "/v1/embeddings", **fields: Any) -> int:
    return post(port, path, json.dumps(INPUT | fields).encode()).status


def cost_of_one(gateway: Start) -> int:
    running = gateway(config({}))
    assert ask(running.port) == 200
    (row,) = running.rows(1)
    running.stop()
    return int(row["cost_nanousd"])


def many(port: int, count: int, threads: int = 64) -> list[int]:
    """The statuses of so many requests, of parallel clients."""
    found: list[int] = []
    left = list(range(count))

    def work() -> None:
        while True:
            try:
                left.pop()
            except IndexError:
                return
            found.append(ask(port))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def figures(gateway: Gateway) -> list[tuple[int, int]]:
    with contextlib.closing(dbapi2.connect(str(gateway.directory / "data" / "dragoman.db"))) as connection:
        return list(connection.execute("SELECT spent, claimed FROM ledger"))


@pytest.mark.parametrize("admitted", [1, 37])
def test_parallel_clients_get_exactly_what_the_budget_holds(gateway: Start, admitted: int) -> None:
    cost = cost_of_one(gateway)
    limits = {"money": {"cost_usd": admitted * cost / 1e9, "per": "ever"}}
    running = gateway(config(limits))
    statuses = many(running.port, 400)
    assert (statuses.count(200), statuses.count(429)) == (admitted, 400 - admitted)
    rows = running.settled(400)
    running.stop()
    assert sum(row["cost_nanousd"] or 0 for row in rows) == admitted * cost
    assert figures(running) == [(admitted * cost, admitted * cost)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("per", ["minute", "ever"])  # of which nothing has to be written down first, and something
def test_parallel_chats_get_exactly_what_the_budget_holds(gateway: Start, per: str, streamed: bool) -> None:
    chat = {"provider": "rehearsal", "model": "gpt-4o"}
    only_given = {"enabled": True, "price": {"input_usd_mtok": 1000.0, "output_usd_mtok": 0.0}}
    fields = {"rehearsal": only_given, "deployments": {"chat": chat}, "routes": {"chat": {"tiers": [["chat"]]}}}
    asked = {"model": "chat", "messages": [{"role": "user", "content": "The same each time."}], "max_tokens": 5}
    body = json.dumps(asked | {"stream": streamed}).encode()
    free = gateway(config({}, **fields))
    assert post(free.port, CHAT, body).status == 200
    cost = int(free.rows(1)[0]["cost_nanousd"])
    free.stop()
    running = gateway(config({"money": {"cost_usd": 37 * cost / 1e9, "per": per}}, **fields))
    with ThreadPoolExecutor(64) as pool:
        statuses = list(pool.map(lambda _: post(running.port, CHAT, body).status, range(400)))
    assert (statuses.count(200), statuses.count(429)) == (37, 363)
    rows = running.settled(400)
    running.stop()
    assert sum(row["cost_nanousd"] or 0 for row in rows) == 37 * cost
    assert figures(running) == ([(37 * cost, 37 * cost)] if per == "ever" else [])


def test_a_rate_limit_admits_exactly_so_many_and_says_when_the_next_fits(gateway: Start) -> None:
    running = gateway(config({"pace": {"requests": 100, "per": "minute"}}))
    statuses = many(running.port, 1000)
    assert (statuses.count(200), statuses.count(429)) == (100, 900)
    refused = post(running.port, "/v1/embeddings", json.dumps(INPUT).encode())
    assert 50_000 < int(refused.headers["retry-after-ms"]) <= 61_000
    assert "x-should-retry" not in refused.headers


def test_a_process_that_is_killed_forgets_nothing(gateway: Start) -> None:
    cost = cost_of_one(gateway)
    admitted = 0
    limits = {"money": {"cost_usd": 37 * cost / 1e9, "per": "ever"}}
    running = gateway(config(limits))
    for _ in range(4):
        counted: list[int] = []
        loaded = threading.Thread(target=many_until_cut, args=(running.port, counted))
        loaded.start()
        time.sleep(0.05)
        os.kill(running.processes[-1], signal.SIGKILL)
        loaded.join()
        admitted += counted.count(200)
        wait_until_ready(running)
    admitted += many(running.port, 100).count(200)
    running.stop()
    ((spent, claimed),) = figures(running)
    assert admitted * cost <= spent == claimed <= 37 * cost
    assert admitted <= 37


def many_until_cut(port: int, found: list[int]) -> None:
    """Requests, one after the other by eight clients, until there is no server any more; their statuses."""

    def work() -> None:
        with contextlib.suppress(OSError):
            for _ in range(200):
                found.append(ask(port))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def wait_until_ready(gateway: Gateway) -> None:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            if gateway.get("/readyz").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(gateway.output)
