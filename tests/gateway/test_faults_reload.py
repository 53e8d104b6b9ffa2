"""What the gateway does when its configuration changes, well or badly, while it serves: P15, P17, and what SIGHUP does.

Each test is named after its row in the catalogue of faults. One gateway serves them all, and must still serve at last.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, chat
from tests.gateway.gateway import SECRET, Gateway, config_for
from tests.gateway.upstream import Upstream, answer, chunk, event, expect, hold, role_event, send, stream_head, until
from tests.telemetry.test_metrics import read

from dragoman.access.secret import create_secret

PATIENCE_S = 30.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, f"in vain: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.reply(expect, answer())
        yield upstream


@pytest.fixture(scope="module")
def running(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(config_for(provider.base_url), tmp_path_factory.mktemp("reload")) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output
        assert SECRET not in gateway.output


@pytest.fixture
def good(running: Gateway, provider: Upstream) -> Iterator[dict[str, Any]]:
    """The good configuration, in force before and again afterwards."""
    config = config_for(provider.base_url)
    running.write(config)
    running.signal(signal.SIGHUP)
    wait_for(lambda: "config_problems" not in running.get("/readyz").json, "the good configuration")
    yield config
    running.write(config)
    running.signal(signal.SIGHUP)
    wait_for(lambda: "config_problems" not in running.get("/readyz").json, "the good configuration again")
    wait_for(lambda: chat(running.port).status == 200, "the good configuration's answer")


def snapshot(gateway: Gateway) -> int:
    return int(gateway.get("/readyz").json["snapshot"])


def figure(gateway: Gateway, name: str) -> float:
    return read(gateway.get("/metrics").body.decode())[f"dragoman_{name}", frozenset()]


def with_fields(config: dict[str, Any], **fields: Any) -> str:
    return json.dumps(config | fields)


BAD: dict[str, Callable[[dict[str, Any]], str]] = {
    "a syntax error": lambda config: with_fields(config)[:-1],
    "an unknown key": lambda config: with_fields(config, sevrer={}),
    "an unknown field": lambda config: with_fields(config, defaults={"retires": 1}),
    "a value of a wrong type": lambda config: with_fields(config, defaults={"retries": "many"}),
    "a dangling reference": lambda config: with_fields(config, routes={"r": {"tiers": [["nowhere"]]}}),
    "a key twice": lambda config: with_fields(config) + "\nroutes: {}\nroutes: {}\n",
    "a name twice": lambda config: with_fields(
        config, keys=[{"name": "k", "secret": create_secret()}, {"name": "k", "secret": create_secret()}]
    ),
    "half a file": lambda config: with_fields(config)[: len(with_fields(config)) // 2],
    "no file of ours": lambda config: "\0\xff\x01 binary",
    "a list": lambda config: "[1, 2]",
    "an environment variable that is not there": lambda config: with_fields(
        config, keys=[{"name": "k", "secret": "${NO_SUCH_VARIABLE}"}]
    ),
    "a file that is not there": lambda config: with_fields(config, keys=[{"name": "k", "secret": "${file:/no/such}"}]),
    "a tokenizer that is not there": lambda config: with_fields(
        config, deployments={"up0": {"provider": "up0", "model": "m", "tokenizer": "/no/such/tokenizer.json"}}
    ),
    "a certificate that is not there": lambda config: with_fields(
        config, providers={"up0": config["providers"]["up0"] | {"ca_file": "/no/such.pem"}}
    ),
    "others without a key": lambda config: with_fields(config, server={"host": "0.0.0.0"}),
    "nothing at all": lambda config: "",
    "nothing but space": lambda config: "\n \n",
}


@pytest.mark.parametrize("name", BAD)
def test_p15_a_bad_file_changes_nothing(running: Gateway, good: dict[str, Any], name: str) -> None:
    before, refused = snapshot(running), figure(running, "config_reloads_failed_total")
    running.put(BAD[name](good), "latin-1")
    running.signal(signal.SIGHUP)
    wait_for(lambda: "config_problems" in running.get("/readyz").json, "the problems")
    ready = running.get("/readyz")
    assert (ready.status, ready.json["snapshot"]) == (200, before)
    assert "config: the new configuration is not used" in ready.json["degraded"]
    # Once by the signal, and once more where the watching was faster.
    assert figure(running, "config_reloads_failed_total") - refused in (1, 2)
    response = chat(running.port)
    assert (response.status, response.headers["x-dragoman-snapshot"]) == (200, str(before))
    assert SECRET not in json.dumps(ready.json)
    assert "the new configuration is not used" in running.output


def test_p15_a_file_that_is_deleted_changes_nothing(running: Gateway, good: dict[str, Any]) -> None:
    before = snapshot(running)
    running.config_path.unlink()
    wait_for(lambda: "config_problems" in running.get("/readyz").json, "the problems")
    assert snapshot(running) == before
    assert chat(running.port).status == 200


def test_p15_an_error_names_its_line(running: Gateway, good: dict[str, Any]) -> None:
    running.put(f"# a comment\n{json.dumps(good)[:-1]},\n'defaults': {{retires: 1}}\n}}\n")
    running.signal(signal.SIGHUP)
    wait_for(lambda: "config_problems" in running.get("/readyz").json, "the problems")
    (problem,) = running.get("/readyz").json["config_problems"]
    assert "dragoman.yaml:3" in problem
    assert "retries" in problem


def test_p15_a_request_keeps_the_configuration_it_began_with(
    running: Gateway, good: dict[str, Any], provider: Upstream
) -> None:
    before = snapshot(running)
    gate = threading.Event()
    with Upstream() as slow, Client(running.port) as client:
        slow.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), until(gate), hold)
        running.write(config_for(slow.base_url))
        running.signal(signal.SIGHUP)
        wait_for(lambda: snapshot(running) == before + 1, "the slow provider")
        client.chat(stream=True)
        response = client.read_head()
        assert response.headers["x-dragoman-snapshot"] == str(before + 1)
        running.write(good)
        running.signal(signal.SIGHUP)
        wait_for(lambda: snapshot(running) == before + 2, "the good configuration")
        assert chat(running.port).headers["x-dragoman-snapshot"] == str(before + 2)
        gate.set()
        assert next(client.parts(response)).startswith(b"data: ")
        assert slow.open_connections == 1


def test_a_changed_file_is_noticed_without_a_signal(running: Gateway, good: dict[str, Any]) -> None:
    before, reloads = snapshot(running), figure(running, "config_reloads_total")
    running.write(good | {"routes": good["routes"] | {"more": good["routes"]["chat"]}})
    wait_for(lambda: snapshot(running) == before + 1, "the change")
    assert chat(running.port, model="more").status == 200
    assert figure(running, "config_reloads_total") == reloads + 1
    assert figure(running, "snapshot") == before + 1


def test_a_signal_without_a_change_changes_nothing(running: Gateway, good: dict[str, Any]) -> None:
    before = snapshot(running)
    for _ in range(5):
        running.signal(signal.SIGHUP)
    time.sleep(0.5)
    assert snapshot(running) == before
    assert chat(running.port).status == 200


def test_a_secret_s_file_is_read_again_on_a_signal(running: Gateway, good: dict[str, Any], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    first, second = create_secret(), create_secret()
    secret.write_text(first)
    before = snapshot(running)
    running.write(good | {"keys": [{"name": "k", "secret": f"${{file:{secret}}}"}]})
    running.signal(signal.SIGHUP)
    wait_for(lambda: snapshot(running) == before + 1, "the key")
    assert chat(running.port).status == 401
    assert chat(running.port, headers={"authorization": f"Bearer {first}"}).status == 200
    secret.write_text(second)
    running.signal(signal.SIGHUP)
    wait_for(lambda: snapshot(running) == before + 2, "the other key")
    assert chat(running.port, headers={"authorization": f"Bearer {first}"}).status == 401
    assert chat(running.port, headers={"authorization": f"Bearer {second}"}).status == 200


def test_every_answer_says_its_snapshot(running: Gateway, good: dict[str, Any]) -> None:
    number = str(snapshot(running))
    answers = [running.get(path) for path in ("/readyz", "/metrics", "/v1/models", "/v1/models/none", "/nowhere")]
    answers += [chat(running.port), chat(running.port, model="none"), running.get("/v1/chat/completions")]
    answers += [running.get("/v1/requests/none"), running.get("/healthz")]
    assert [response.headers["x-dragoman-snapshot"] for response in answers] == [number] * len(answers)
    assert len({response.headers["x-request-id"] for response in answers}) == len(answers)


def test_p17_reloads_under_load_fail_no_request(running: Gateway, good: dict[str, Any]) -> None:
    before = snapshot(running)
    statuses: dict[str, int] = {}
    stopping = threading.Event()

    def ask() -> None:
        with Client(running.port) as client:
            while not stopping.is_set():
                client.chat()
                response = client.read()
                statuses[response.headers["x-request-id"]] = response.status

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        running.write(good | {"defaults": {"retries": number % 3, "deadline_s": 100 + number}})
        running.signal(signal.SIGHUP)
        wait_for(lambda number=number: snapshot(running) > before + number, "the next")  # type: ignore[misc]
    stopping.set()
    for thread in threads:
        thread.join()
    assert set(statuses.values()) == {200}
    wait_for(lambda: statuses.keys() <= {row["request_id"] for row in running.rows(0)}, "all rows")
    rows = [row for row in running.rows(0) if row["request_id"] in statuses]
    assert len(rows) == len(statuses)
    assert {row["status"] for row in rows} == {200}
    seen = [row["snapshot"] for row in rows]
    assert before <= min(seen)
    assert max(seen) <= before + 100
    assert len(set(seen)) > 10


def test_p15_many_routes_are_taken_in_while_serving(running: Gateway, good: dict[str, Any]) -> None:
    before = snapshot(running)
    many = {f"route-{number}": good["routes"]["chat"] for number in range(2000)}
    running.write(good | {"routes": good["routes"] | many})
    running.signal(signal.SIGHUP)
    statuses = set()
    until_s = time.monotonic() + PATIENCE_S
    while snapshot(running) == before:
        statuses.add(chat(running.port).status)
        assert time.monotonic() < until_s
    assert statuses <= {200}
    assert chat(running.port, model="route-1999").status == 200


def test_a_stored_configuration_is_put_in_force_and_outlives_a_start(
    gateway: Callable[[dict[str, Any]], Gateway], upstream: Upstream, tmp_path: Path
) -> None:
    config = config_for(upstream.base_url)
    running = gateway(config)
    stored = tmp_path / "stored.yaml"
    stored.write_text('routes: {elsewhere: {tiers: [["up0"]]}}\n')
    command = [sys.executable, "-m", "dragoman", "config", "push", str(stored), "--config", str(running.config_path)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    wait_for(lambda: chat(running.port, model="elsewhere").status == 200, "the stored route")
    assert chat(running.port).status == 404  # the file's routes are those no more
    running.stop()
    with running:
        assert chat(running.port, model="elsewhere").status == 200
        running.put(running.config_path.read_text().replace('"retries": 2', '"retries": 1') + "\n")
        assert chat(running.port, model="elsewhere").status == 200
