"""Stores that are copied, and prices that change, while requests are under way (catalogue S16, N7)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.gateway.client import chat
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import Upstream, answer, expect, until
from tests.served import Serve, chat_body

PRICE = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}


def dragoman(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "dragoman", *(str(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_s16_a_backup_during_load_restores_and_its_chain_verifies(
    gateway: Callable[[dict[str, Any]], Gateway], upstream: Upstream, tmp_path: Path
) -> None:
    limits = {"all": {"requests": 100_000, "per": "day"}}
    running = gateway(config_for(upstream.base_url) | {"limits": limits, "audit": {"segment_records": 50}})
    data, stop = running.directory / "data", threading.Event()
    answered: list[int] = []

    def load() -> None:
        while not stop.is_set():
            answered.append(chat(running.port).status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    restored = tmp_path / "restored"
    restored.mkdir()
    while len(answered) < 200:
        time.sleep(0.01)
    dragoman("db", "backup", restored / "dragoman.db", "--data-dir", data)
    shutil.copytree(data / "audit", restored / "audit")
    shutil.copy(data / "audit-signing.key", restored)
    while len(answered) < 400:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answered) == {200}
    told = dragoman("audit", "verify", restored / "audit", "--data-dir", data)
    assert "The log is as it was written." in told
    rows = json.loads(dragoman("usage", "--json", "--data-dir", restored))
    assert rows["whole"]["requests"] > 50
    with Gateway(
        config_for(upstream.base_url) | {"store": {"data_dir": str(restored)}, "limits": limits}, tmp_path
    ) as again:
        assert chat(again.port).status == 200
    assert "requests" in dragoman("limits", "list", "--data-dir", restored)


def test_n7_a_request_costs_what_it_cost_when_it_was_admitted(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url) | {"limits": {"all": {"cost_usd": 100, "per": "day"}}}
    config["deployments"]["up0"]["price"] = PRICE
    served = serve(config)
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    under_way = served.begin("POST", "/v1/chat/completions", chat_body(max_tokens=10))
    upstream.received()
    dearer = json.loads(json.dumps(config))
    dearer["deployments"]["up0"]["price"] = {name: usd * 100 for name, usd in PRICE.items()}
    served.gateway.replace(served.load(dearer))
    gate.set()
    first = served.row(under_way.wait())
    second = served.row(served.chat(max_tokens=10))
    assert first.cost_nanousd is not None and second.cost_nanousd is not None
    assert second.cost_nanousd == 100 * first.cost_nanousd
    (standing,) = served.get("/v1/usage").json["limits"]
    assert float(standing["spent"]) == (first.cost_nanousd + second.cost_nanousd) / 1e9
    assert float(standing["held"]) == 0
