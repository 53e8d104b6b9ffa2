"""Stores that are copied or away, and prices that change, while requests are under way (catalogue S7, S16, N7)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, text
from tests.gateway.client import chat, post
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.test_faults_process import wait_for
from tests.gateway.upstream import Upstream, answer, expect, until
from tests.served import Serve, chat_body
from tests.store import postgres
from tests.store.between import Between

from dragoman.access.secret import load_pepper
from dragoman.access.stored import create_key, revoke_key
from dragoman.config.schema import Key

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


OUTAGE_S = float(os.environ.get("DRAGOMAN_OUTAGE_S", "6"))


def asked_by(secret: str, model: str, port: int, found: list[int | str], ended: threading.Event) -> threading.Thread:
    """A client that asks again and again, and counts what it is told."""

    def ask() -> None:
        while not ended.is_set():
            said = post(
                port, "/v1/chat/completions", chat_body(model=model, max_tokens=10), authorization=f"Bearer {secret}"
            )
            found.append(said.status if said.status == 200 else said.json["error"]["code"])
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_s7_while_postgresql_is_away_under_load_known_keys_are_served(
    upstream: Upstream, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """As matrix 4.9 has it: known keys are good, revoked ones are not, and budgets last as long as what was granted."""
    upstream.reply(expect, answer())
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres.database(stack.enter_context(postgres.server(tmp_path / "pg"))))
        between = stack.enter_context(Between(url, lambda: ""))
        config = config_for(upstream.base_url, limits={"money": {"cost_usd": 1, "applies_to": {"routes": ["dear"]}}})
        config["routes"]["dear"] = config["routes"]["chat"]
        config["deployments"]["up0"]["price"] = PRICE
        config["store"] = {"url": between.url}
        running = stack.enter_context(Gateway(config, tmp_path))
        engine = create_engine(url, poolclass=NullPool)
        pepper = load_pepper(tmp_path / "data", {})
        known, revoked = (create_key(engine, pepper, Key(name=name), now_ms=1).secret for name in ("known", "revoked"))
        revoke_key(engine, "revoked", now_ms=2)
        first = [200]  # and while no key is known, none is needed
        while first[-1] == 200:
            first.append(status_of(running, revoked))
        assert status_of(running, known) == 200
        told: dict[str, list[int | str]] = {"known": [], "dear": [], "revoked": []}
        ended = threading.Event()
        stack.callback(ended.set)
        clients = [asked_by(known, "chat", running.port, told["known"], ended) for _ in range(4)]
        clients.append(asked_by(known, "dear", running.port, told["dear"], ended))
        clients.append(asked_by(revoked, "chat", running.port, told["revoked"], ended))
        wait_for(lambda: told["dear"].count(200) > 5, "money that is granted")
        between.shut()
        wait_for(lambda: "budget_unavailable" in told["dear"], "money that is not")
        time.sleep(OUTAGE_S)
        assert running.get("/readyz").json["degraded"] != []
        between.open()
        granted = told["dear"].count(200)
        wait_for(lambda: told["dear"].count(200) > granted + 5, "money again")
        ended.set()
        for client in clients:
            client.join()
        wait_for(lambda: running.get("/readyz").json["degraded"] == [], "recovery")
        assert set(told["known"]) == {200}
        assert set(told["revoked"]) == {"invalid_api_key"}
        assert set(told["dear"]) == {200, "budget_unavailable"}
        served = told["known"].count(200) + told["dear"].count(200) + first.count(200)
        query = text("SELECT count(*) FROM usage WHERE status = 200")

        def rows() -> int:
            with engine.connect() as connection:
                return int(connection.execute(query).scalar_one())

        wait_for(lambda: rows() >= served, "all rows")
        assert rows() == served
        say(
            f"PostgreSQL was away for {OUTAGE_S:.0f} s and more: {served} served and on record; {Counter(told['dear'])}"
        )


def status_of(running: Gateway, secret: str) -> int:
    return post(running.port, "/v1/chat/completions", chat_body(), authorization=f"Bearer {secret}").status
