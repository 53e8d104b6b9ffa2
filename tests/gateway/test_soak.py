"""P21: a long run of everything at once, after which nothing has grown. ``DRAGOMAN_SOAK_S=600`` says how long."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.client import Client
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import Upstream, answer, expect, reset, stream

CLIENTS = 8
MIB = 1 << 20
MOST_MIB_IN_10_MIN = 1.0
# What a short run cannot tell from growth: allocators settle, caches fill.
SLACK_MIB = 4.0


def ask(port: int, chance: random.Random) -> float:
    """One request of any kind; how long it took, where it was answered whole."""
    began_s = time.monotonic()
    with contextlib.suppress(ConnectionError), Client(port) as client:
        kind = chance.choices(("whole", "stream", "leaves", "wrong", "broken"), (6, 3, 1, 1, 1))[0]
        if kind == "broken":
            client.send(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 5\r\n\r\n{")
            return 0
        said = [{"role": "user", "content": f"Question {chance.randrange(500)}"}]  # some are answered from the cache
        client.chat(model="nothing" if kind == "wrong" else "chat", stream=kind in ("stream", "leaves"), messages=said)
        if kind == "leaves":
            client.abort()
            return 0
        client.read()
    return time.monotonic() - began_s


def slope(points: list[tuple[float, float]]) -> float:
    """How much more each second, by least squares."""
    middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
    above = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
    return above / sum((x - middle[0]) ** 2 for x, _ in points)


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def watched(gateway: Gateway, seconds: float) -> tuple[list[tuple[float, float]], list[int], list[float]]:
    """Memory and descriptors by the second, and how long requests took, while clients ask for so long."""
    until_s = time.monotonic() + seconds
    took: list[float] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until_s:
            took.append(ask(gateway.port, chance))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    memory, files = [], []
    while time.monotonic() < until_s:
        time.sleep(1)
        memory.append((time.monotonic(), gateway.resident_bytes / MIB))
        files.append(gateway.open_files)
    for thread in threads:
        thread.join()
    return memory, files, [one for one in took if one]


@pytest.mark.skipif("DRAGOMAN_SOAK_S" not in os.environ, reason="runs for long: DRAGOMAN_SOAK_S=600")
def test_p21_nothing_grows(
    gateway: Callable[[dict[str, Any]], Gateway], upstream: Upstream, say: Callable[[str], None]
) -> None:
    seconds = float(os.environ["DRAGOMAN_SOAK_S"])
    for steps in ((answer(),), (stream(),), (answer(b"{}", 500),), (reset,), (stream(["x"] * 200),)) * 2000:
        upstream.reply(expect, *steps)
    upstream.reply(expect, answer())
    limits = {"pace": {"requests": 10**9, "per": "minute"}, "money": {"cost_usd": 1e6, "per": "day"}}
    running = gateway(config_for(upstream.base_url, limits=limits, cache={"mode": "on"}, route={"retries": 1}))
    watched(running, seconds / 3)
    memory, files, took = watched(running, seconds * 2 / 3)
    grown_mib = slope(memory) * 600
    before_ms, after_ms = (p99(part) * 1000 for part in (took[: len(took) // 2], took[len(took) // 2 :]))
    say(
        f"{len(took)} requests in {seconds * 2 / 3:.0f} s: {grown_mib:+.2f} MiB in 10 min, "
        f"{min(files)} to {max(files)} descriptors, p99 {before_ms:.0f} and {after_ms:.0f} ms"
    )
    allowed_mib = MOST_MIB_IN_10_MIN + SLACK_MIB * 600 / seconds
    assert grown_mib < allowed_mib
    idle = running.open_files
    assert max(files) < idle + 4 * CLIENTS + 20
