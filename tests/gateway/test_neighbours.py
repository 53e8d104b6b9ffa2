"""A key that asks for ten times what it may, beside others (catalogue N16): it is refused, and they are not held up.

How much later the others are answered is a measure and no test: it is told with ``DRAGOMAN_NEIGHBOURS``, which says for
how many seconds each half of it lasts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.gateway.client import Client
from tests.gateway.gateway import Gateway
from tests.gateway.test_budgets import INPUT, config

from dragoman.access.secret import create_secret

SECONDS = float(os.environ.get("DRAGOMAN_NEIGHBOURS", "0"))
LIMIT = 600
BODY = json.dumps(INPUT).encode()
Start = Callable[[dict[str, Any]], Gateway]

# A process of its own, so that it takes nothing from the one that measures but the machine.
NEIGHBOUR = """
import sys, time
from tests.gateway.client import Client
from tests.gateway.test_neighbours import BODY
port, key, rate = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
started, count = time.monotonic(), 0
with Client(port) as client:
    while True:
        client.ask("POST", "/v1/embeddings", BODY, authorization=f"Bearer {key}")
        client.read()
        count += 1
        time.sleep(max(0.0, started + count / rate - time.monotonic()))
"""


@pytest.fixture
def keys() -> dict[str, str]:
    return {name: create_secret() for name in ("noisy", "quiet")}


def limited(keys: dict[str, str], per: str) -> dict[str, Any]:
    limits = {"pace": {"of": ["key"], "requests": LIMIT, "per": per}}
    return config(limits, keys=[{"name": name, "secret": secret} for name, secret in keys.items()])


def asked(port: int, key: str, count: int, pause_s: float = 0.0) -> list[tuple[int, float]]:
    """So many requests, one after the other: the status of each, and how long it took."""
    found = []
    with Client(port) as client:
        for _ in range(count):
            begun_s = time.monotonic()
            client.ask("POST", "/v1/embeddings", BODY, authorization=f"Bearer {key}")
            found.append((client.read().status, time.monotonic() - begun_s))
            time.sleep(pause_s)
    return found


def test_a_neighbour_that_asks_for_ten_times_its_limit_costs_others_no_request(
    gateway: Start, keys: dict[str, str]
) -> None:
    running = gateway(limited(keys, "ever"))
    statuses: list[int] = []

    def ask(key: str, count: int) -> None:
        statuses.extend(status for status, _ in asked(running.port, key, count))

    noisy = [threading.Thread(target=ask, args=(keys["noisy"], LIMIT * 10 // 8)) for _ in range(8)]
    for thread in noisy:
        thread.start()
    quiet = [status for status, _ in asked(running.port, keys["quiet"], LIMIT // 2)]
    for thread in noisy:
        thread.join()
    assert quiet == [200] * len(quiet)
    assert Counter(statuses) == {200: LIMIT, 429: 9 * LIMIT}


@contextmanager
def neighbour(port: int, key: str) -> Iterator[None]:
    """One that asks for ten times its limit meanwhile."""
    command = [sys.executable, "-c", NEIGHBOUR, str(port), key, str(10 * LIMIT / 60)]
    process = subprocess.Popen(command)
    try:
        time.sleep(1)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not SECONDS, reason="a measure: DRAGOMAN_NEIGHBOURS=20 says for how many seconds")
def test_how_much_later_the_others_are_answered(
    gateway: Start, keys: dict[str, str], say: Callable[[str], None]
) -> None:
    running = gateway(limited(keys, "minute"))
    count = min(int(SECONDS * 20), LIMIT // 2)
    asked(running.port, keys["quiet"], 20)
    alone = asked(running.port, keys["quiet"], count - 20, 0.05)
    with neighbour(running.port, keys["noisy"]):
        beside = asked(running.port, keys["quiet"], count - 20, 0.05)
    assert {status for status, _ in alone + beside} == {200}
    told = [f"p50 {at(one, 0.5):.2f} ms, p99 {at(one, 0.99):.2f} ms" for one in (alone, beside)]
    say(f"{count - 20} requests alone: {told[0]}; beside a neighbour at ten times its limit: {told[1]}")


def at(found: list[tuple[int, float]], share: float) -> float:
    """A quantile, in milliseconds."""
    times = sorted(seconds for _, seconds in found)
    return times[int(len(times) * share)] * 1000
