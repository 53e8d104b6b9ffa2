"""Several workers and two nodes, on PostgreSQL and Redis: they count as one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from tests.gateway.client import Client, Response, chat, chat_body, post
from tests.gateway.gateway import Gateway, config_for, free_port
from tests.gateway.test_budgets import INPUT, ask, config
from tests.gateway.upstream import Upstream, answer, expect, stream
from tests.gateway.upstream import until as until_set
from tests.store import postgres
from tests.store.between import Between, Cut
from tests.store.valkey import Valkey, new_prefix
from tests.telemetry.test_metrics import read

from dragoman.access.secret import create_secret
from dragoman.audit.check import check_log
from dragoman.audit.search import Wanted, search
from dragoman.core import audit_public_key

PEPPER = {"DRAGOMAN_PEPPER": "ab" * 32}
WORKERS = 4


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    with postgres.server(tmp_path_factory.mktemp("pg")) as address:
        yield address


class Place:
    """Where nodes meet: a database and a Redis."""

    def __init__(self, directory: Path, url: str, redis: str, stack: contextlib.ExitStack) -> None:
        self.url = url
        self.redis = {"url": redis, "prefix": new_prefix(), "timeout_s": 0.25}
        self._directory = directory
        self._stack = stack
        self._engine = create_engine(url)
        stack.callback(self._engine.dispose)

    def start(self, limits: dict[str, Any], workers: int = WORKERS, **fields: Any) -> Gateway:
        """A node, with a directory of its own."""
        directory = self._directory / f"node-{free_port()}"
        directory.mkdir()
        return self._stack.enter_context(Gateway(self.config(limits, workers, **fields), directory, PEPPER))

    def config(self, limits: dict[str, Any], workers: int = WORKERS, **fields: Any) -> dict[str, Any]:
        """A node's configuration."""
        shared = {"store": {"url": self.url}, "redis": self.redis, "server": {"workers": workers}}
        return config(limits) | shared | fields

    def ask(self, query: str) -> Any:
        """What the database says."""
        with self._engine.connect() as connection:
            return connection.execute(text(query)).scalar_one()

    def cost(self) -> int:
        """What one request costs."""
        return int(self.ask("SELECT max(cost_nanousd) FROM usage"))


@pytest.fixture
def place(databases: URL, valkey: str, tmp_path: Path) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres.database(databases))
        yield Place(tmp_path, url, valkey, stack)


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    until_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert true()


def many(ports: list[int], count: int, clients: int = 64) -> list[int]:
    """The statuses of so many requests, of parallel clients, each on a connection of its own; 0: it broke."""
    return together([partial(ask, ports[number % len(ports)]) for number in range(count)], clients)


def together(asks: list[Callable[[], int]], clients: int) -> list[int]:
    """What requests are answered with, made by so many at once; 0: it broke."""
    found: list[int] = []

    def work() -> None:
        while True:
            try:
                ask_one = asks.pop()
            except IndexError:
                return
            try:
                found.append(ask_one())
            except OSError:
                found.append(0)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def workers_of(gateway: Gateway) -> set[int]:
    """Which workers answer."""
    return {gateway.get("/readyz").json["worker"] for _ in range(100)}


def kill_one(node: Gateway) -> None:
    """Kill a worker; it is replaced, and no other."""
    before = node.processes[1:]
    os.kill(before[1], signal.SIGKILL)
    until(lambda: len(set(node.processes[1:]) - set(before)) == 1)
    until(lambda: workers_of(node) == set(range(len(before))))
    assert set(before) - {before[1]} < set(node.processes)


def cost_of_one(place: Place) -> int:
    node = place.start({}, 1)
    assert ask(node.port) == 200
    node.stop()
    return place.cost()


def test_workers_share_a_port_and_are_told_apart(place: Place) -> None:
    node = place.start({})
    until(lambda: workers_of(node) == set(range(WORKERS)))
    assert "with 4 workers" in node.output
    kill_one(node)
    node.write(place.config({"pace": {"requests": 1, "per": "minute"}}))
    node.signal(signal.SIGHUP)
    until(lambda: {node.get("/readyz").json["snapshot"] for _ in range(40)} == {2})
    assert many([node.port], 20, 4).count(200) == 1
    assert node.stop() == 0


def counted(node: Gateway) -> tuple[float, float, dict[str, float]]:
    """What a scrape says: requests that were answered, attempts, and by worker whether it is up."""
    series = read(node.get("/metrics").body.decode())
    sums = [
        sum(value for (name, _), value in series.items() if name == f"dragoman_{wanted}")
        for wanted in ("request_seconds_count", "attempts_total")
    ]
    up = {dict(labels)["worker"]: value for (name, labels), value in series.items() if name == "dragoman_worker_up"}
    assert {dict(labels).get("worker") for name, labels in series if name == "dragoman_redis_up"} <= set(up)
    return sums[0], sums[1], up


def test_a_scrape_tells_of_all_workers_also_of_one_that_was_killed(place: Place, say: Callable[[str], None]) -> None:
    node = place.start({})
    until(lambda: workers_of(node) == set(range(WORKERS)))
    all_up = {str(number): 1.0 for number in range(WORKERS)}
    assert many([node.port], 200, 16).count(200) == 200
    until(lambda: counted(node) == (200, 200, all_up))
    assert [counted(node)[0] for _ in range(20)] == [200] * 20  # whoever is asked
    kill_one(node)
    assert many([node.port], 100, 16).count(200) == 100
    seen: list[float] = []

    def has_all() -> bool:
        requests, attempts, up = counted(node)
        seen.append(requests)
        return (requests, attempts, up) == (300, 300, all_up)

    until(has_all)
    assert seen == sorted(seen)
    assert seen[0] >= 200
    say(f"{WORKERS} workers, one killed: scrapes tell of {seen[-1]:.0f} of 300 requests, never of fewer than before")


@pytest.mark.parametrize(("workers", "requests", "clients"), [(WORKERS, 400, 64), (16, 1000, 1000)])
def test_a_budget_for_37_calls_is_37_calls(
    place: Place, say: Callable[[str], None], workers: int, requests: int, clients: int
) -> None:
    """N1, and N15 for the log that each worker writes of it."""
    place.redis["timeout_s"] = 10.0  # whoever waits for it on a busy machine is not to take it for gone
    cost = cost_of_one(place)
    limits = {"money": {"cost_usd": 37 * cost / 1e9, "per": "ever"}, "at-once": {"concurrent": clients}}
    node = place.start(limits, workers)
    until(lambda: workers_of(node) == set(range(workers)))
    statuses = many([node.port], requests, clients)
    assert Counter(statuses) == {200: 37, 429: requests - 37}, node.output[-3000:]
    node.stop()
    until(lambda: place.ask("SELECT sum(spent) FROM ledger") == 37 * cost)
    assert place.ask("SELECT sum(claimed) FROM ledger") == 37 * cost
    data = node.directory / "data"
    checked = check_log(data / "audit", audit_public_key((data / "audit-signing.key").read_bytes()))
    assert (checked.faults, checked.lost, checked.report.chains) == ([], 0, workers)
    recorded = [one.record.id for one in search(data / "audit", Wanted(fields={"kind": "request"}))]
    assert len(recorded) == len(set(recorded)) == requests
    say(f"{clients} clients, {workers} workers, a budget for 37 calls: {statuses.count(200)} of {requests} admitted")


def test_what_a_killed_worker_held_is_nobody_s(place: Place, say: Callable[[str], None]) -> None:
    cost = cost_of_one(place)
    limits = {"money": {"cost_usd": 37 * cost / 1e9, "per": "ever"}, "at-once": {"concurrent": 8}}
    node = place.start(limits)
    until(lambda: workers_of(node) == set(range(WORKERS)))  # so that others answer when one is gone
    admitted: list[int] = []
    loaded = threading.Thread(target=lambda: admitted.extend(many([node.port], 60, 8)))
    loaded.start()
    until(lambda: len(place_calls(place)) >= 5)
    killed = node.processes[1]
    os.kill(killed, signal.SIGKILL)
    started_s = time.monotonic()
    loaded.join()
    until(lambda: held(place, node) == 0)
    took_s = time.monotonic() - started_s
    admitted += many([node.port], 100, 8)
    assert admitted.count(200) <= 37
    node.stop()
    spent = place.ask("SELECT sum(claimed) FROM ledger")
    assert admitted.count(200) * cost <= spent == 37 * cost
    assert took_s < 60
    say(f"a worker was killed: nothing was held {took_s:.0f} s later; {admitted.count(200)} of 37 were answered")


def express(node: Gateway) -> float:
    """How many requests went the express way, at all workers of a node."""
    series = read(node.get("/metrics").body.decode())
    return sum(value for (name, _), value in series.items() if name == "dragoman_express_requests_total")


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
def test_a_budget_is_exact_on_the_express_way_of_two_nodes(
    place: Place, say: Callable[[str], None], fields: dict[str, Any]
) -> None:
    cost, asked = 9_000, {"messages": [{"role": "user", "content": "Hello."}], **fields}
    with Upstream() as upstream:
        upstream.reply(expect, stream() if fields else answer())
        served = config_for(upstream.base_url)
        served["deployments"]["up0"] |= {
            "price": {"input_usd_mtok": 1.0, "output_usd_mtok": 0.0},
            "model": "gpt-4o",
        }
        limits = {
            "money": {"cost_usd": 200 * cost / 1e9, "per": "minute"},
            "wide": {"cost_usd": 10**5 * cost / 1e9, "per": "ever"},
            "at-once": {"concurrent": 16},
        }
        nodes = [place.start(limits, 2, **served) for _ in range(2)]
        ports = [node.port for node in nodes]
        asks: list[Callable[[], int]] = [lambda port=port: chat(port, **asked).status for port in ports * 300]  # type: ignore[misc]
        statuses = together(asks, 16)
        assert Counter(statuses) == {200: 200, 429: 400}
        until(lambda: min(map(express, nodes)) > 0)  # workers tell each other of theirs once a second
        went = [express(node) for node in nodes]
        for node in nodes:
            node.stop()
    until(lambda: place.ask("SELECT sum(spent) FROM ledger") == 200 * cost)
    assert place.ask("SELECT count(*) FROM usage WHERE status = 200") == 200
    say(f"a budget for 200 chats over 2 nodes: 200 of 600 admitted, {sum(went):.0f} of them on the express way")


def test_an_idempotency_key_is_taken_once_by_all_workers_of_two_nodes(place: Place) -> None:
    gate, key = threading.Event(), {"idempotency-key": "once"}
    with Upstream() as upstream:
        upstream.reply(expect, until_set(gate), answer())
        ports = [place.start({}, 2, **config_for(upstream.base_url)).port for _ in range(2)]
        opener = threading.Timer(1.0, gate.set)  # while most are refused
        opener.start()
        asks: list[Callable[[], int]] = [lambda port=port: chat(port, headers=key).status for port in ports * 30]  # type: ignore[misc]
        assert set(together(asks, 16)) <= {200, 409}
        for port in ports * 4:
            until(lambda port=port: chat(port, headers=key).status == 200)  # type: ignore[misc]
        assert len(upstream.requests) == 1
    until(lambda: place.ask("SELECT count(*) FROM usage WHERE cost_nanousd > 0") == 1)


def place_calls(place: Place) -> list[int]:
    return list(range(place.ask("SELECT count(*) FROM usage")))


def held(place: Place, node: Gateway) -> int:
    """What is held, as any worker sees it."""
    try:
        limits = node.get("/v1/usage").json["limits"]
    except ConnectionError:  # it was waiting for the worker that is gone
        return 1
    return int(sum(float(limit["held"]) > 0 for limit in limits))


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_rate_is_exact_over_workers_and_nodes(place: Place, nodes: int, say: Callable[[str], None]) -> None:
    limits = {"pace": {"requests": 100, "per": "minute"}}
    started = [place.start(limits, WORKERS // nodes) for _ in range(nodes)]
    statuses = many([node.port for node in started], 1000)
    assert (statuses.count(200), statuses.count(429)) == (100, 900)
    refused = post(started[0].port, "/v1/embeddings", json.dumps(INPUT).encode())
    assert 40_000 < int(refused.headers["retry-after-ms"]) <= 61_000
    say(f"100 requests a minute over {nodes} nodes, {WORKERS} workers: {statuses.count(200)} of 1000 admitted")


def test_redis_is_killed_under_load(place: Place, tmp_path: Path, say: Callable[[str], None]) -> None:
    cost = cost_of_one(place)
    with Valkey(tmp_path) as redis:
        place.redis = {"url": redis.url, "prefix": "x"}
        node = place.start({"money": {"cost_usd": 200 * cost / 1e9, "per": "ever"}})
        statuses: list[int] = []
        loaded = threading.Thread(target=lambda: statuses.extend(many([node.port], 1500, 16)))
        loaded.start()
        for _ in range(3):
            time.sleep(0.4)
            redis.kill()
            time.sleep(0.2)
            redis.start()
        loaded.join()
        statuses += many([node.port], 300, 16)
        admitted = statuses.count(200)
        assert set(statuses) <= {200, 429}
        until(lambda: node.get("/readyz").json["degraded"] == [])
        node.stop()
    rows = place.ask("SELECT count(*) FROM usage WHERE status = 200") - 1
    assert rows == admitted <= 200
    assert place.ask("SELECT sum(claimed) FROM ledger") <= 200 * cost
    say(f"Redis was killed three times under load: {admitted} of a budget for 200 were admitted, none too many")


def test_answers_of_the_database_that_are_lost_charge_nobody_twice(place: Place, say: Callable[[str], None]) -> None:
    """S9: connections are cut when a COMMIT has been carried out and not been answered, or has not arrived."""
    cost, direct = cost_of_one(place), place.url
    chance, cuts_now = random.Random(5), threading.Event()

    def choose() -> Cut:
        return chance.choice(("", "", "before", "after")) if cuts_now.is_set() else ""

    with Between(direct, choose) as between:
        place.url = between.url
        node = place.start({"money": {"cost_usd": 2000 * cost / 1e9, "per": "ever"}})
        until(lambda: workers_of(node) == set(range(WORKERS)))
        cuts_now.set()
        statuses = many([node.port], 600, 16)
        cuts_now.clear()
        assert set(statuses) <= {200, 503}
        statuses += many([node.port], 10, 4)
        assert statuses[-10:] == [200] * 10
        node.stop()
    admitted = statuses.count(200)
    assert place.ask("SELECT count(*) FROM usage WHERE status = 200") == admitted + 1  # and the first one's
    assert place.ask("SELECT count(*) FROM (SELECT DISTINCT request_id FROM usage) AS one") == len(statuses) + 1
    assert place.ask("SELECT count(*) FROM usage") == len(statuses) + 1
    spent, claimed = place.ask("SELECT sum(spent) FROM ledger"), place.ask("SELECT sum(claimed) FROM ledger")
    assert spent == admitted * cost
    assert spent <= claimed <= spent + 21 * cost  # a hundredth, and a request, that were granted ahead
    cuts = between.cuts
    assert {"before", "after"} <= set(cuts)
    done = cuts.count("after")
    say(f"{len(cuts)} commits cut off, {done} of them carried out: {admitted} requests answered, each charged once")


def first_deployment(nodes: list[Gateway]) -> dict[tuple[int, int], tuple[str, bool]]:
    """By node and worker: the breaker of the first deployment, and whether its cooldown is over.

    The kernel chooses who answers, so each node is asked so often that no worker is left out: of four, in 10^12 times.
    """
    found = {}
    for number, node in enumerate(nodes):
        for _ in range(100):
            told = node.get("/readyz?verbose").json
            state = next(one for one in told["deployments"] if one["name"].startswith("up0#"))
            found[number, told.get("worker", 0)] = state["breaker"], state["cooldown_left_s"] == 0
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_one_of_all_workers_probes(place: Place, count: int, say: Callable[[str], None]) -> None:
    gate = threading.Event()
    with Upstream() as ill, Upstream() as well:
        ill.reply(expect, answer(b"{}", 429, retry_after="1"))
        ill.reply(expect, until_set(gate), answer())
        well.reply(expect, answer())
        fields = config_for(ill.base_url, well.base_url, route={"tiers": [["up0", "up1"]], "strategy": "priority"})
        nodes = [place.start({}, WORKERS // count, **fields) for _ in range(count)]
        until(lambda: len(first_deployment(nodes)) == WORKERS)
        assert chat(nodes[0].port).status == 200
        until(lambda: list(first_deployment(nodes).values()) == [("open", True)] * WORKERS)
        statuses: list[int] = []
        clients = [
            threading.Thread(target=lambda node=node: statuses.append(chat(node.port).status))
            for node in nodes * (200 // count)
        ]
        for client in clients:
            client.start()
        until(lambda: len(statuses) == len(clients) - 1)  # all but the one that probes
        assert len(ill.requests) == 2
        assert sorted(breaker for breaker, _ in first_deployment(nodes).values()) == ["half_open", *["open"] * 3]
        gate.set()
        for client in clients:
            client.join()
        assert statuses == [200] * len(clients)
        until(lambda: {breaker for breaker, _ in first_deployment(nodes).values()} == {"closed"})
        assert len(ill.requests) == 2
        say(f"{len(clients)} requests at {WORKERS} workers of {count} nodes, one deployment half open: 1 probe")
        assert [chat(node.port).status for node in nodes * 4] == [200] * 4 * count
        assert len(ill.requests) > 2


def test_every_worker_writes_a_chain_of_its_own(place: Place) -> None:
    nodes = [place.start({}, 2) for _ in range(2)]
    many([node.port for node in nodes], 200, 16)
    for node in nodes:
        kill_one(node)
    many([node.port for node in nodes], 100, 16)
    for node in nodes:
        node.stop()
        command = [
            sys.executable,
            "-m",
            "dragoman",
            "audit",
            "verify",
            "--json",
            str(node.directory / "data" / "audit"),
        ]
        command += ["--public-key", public_key(node)]
        verified = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert (verified["faults"], verified["lost"], verified["chains"]) == ([], 0, 3)


def public_key(node: Gateway) -> str:
    return audit_public_key((node.directory / "data" / "audit-signing.key").read_bytes()).hex()


def test_a_key_that_is_revoked_is_refused_at_once(place: Place, say: Callable[[str], None]) -> None:
    deployments = {"vectors": {"provider": "rehearsal", "model": "text-embedding-3-small"}}
    deployments["chat"] = {"provider": "rehearsal", "model": "gpt-4o"}
    routes = {name: {"tiers": [[name]]} for name in deployments}
    node = place.start({}, 2, deployments=deployments, routes=routes)
    at = ["--config", str(node.config_path)]
    found = re.search(r"dgk_\w+", dragoman("keys", "create", "app", *at))
    assert found is not None
    headers = {"authorization": f"Bearer {found[0]}"}

    def statuses() -> set[int]:
        embeddings, chats = json.dumps(INPUT).encode(), chat_body(model="chat")
        return {
            post(node.port, path, body, **headers).status
            for path, body in (("/v1/embeddings", embeddings), ("/v1/chat/completions", chats)) * 8
        }

    until(lambda: statuses() == {200} and express(node) > 8)
    dragoman("keys", "revoke", "app", *at)
    revoked_s = time.monotonic()
    until(lambda: statuses() == {401})
    took_s = time.monotonic() - revoked_s
    say(f"a revoked key is refused by all workers {took_s * 1000:.0f} ms later")
    assert took_s < 5


def dragoman(*words: str) -> str:
    command = [sys.executable, "-m", "dragoman", *words]
    return subprocess.run(command, capture_output=True, check=True, env=os.environ | PEPPER).stdout.decode()


def test_another_redis_is_refused(place: Place, tmp_path: Path) -> None:
    place.start({}, 1)
    with Valkey(tmp_path) as other:
        place.redis = {"url": other.url}
        with pytest.raises(AssertionError, match="none of them this Redis"):
            place.start({}, 1)
        place.redis = None  # type: ignore[assignment]
        with pytest.raises(AssertionError, match="another server uses this database"):
            place.start({}, 1)


def test_what_is_changed_at_one_node_holds_at_all(place: Place) -> None:
    root = create_secret()
    ports = [free_port(), free_port()]
    keys = {"keys": [{"name": "root", "secret": root, "admin": True}]}
    nodes = [place.start({}, 2, admin={"enabled": True, "port": port}, **keys) for port in ports]

    def admin(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> Response:
        with Client(port) as client:
            headers = {"authorization": f"Bearer {root}"}
            client.ask(method, f"/admin/v1{path}", b"" if body is None else json.dumps(body).encode(), **headers)
            return client.read()

    made = admin(ports[0], "POST", "/keys", {"name": "everywhere"})
    assert made.status == 201, made.body
    secret, key_id = made.json["secret"], made.json["id"]

    def statuses() -> set[int]:
        body, bearer = json.dumps(INPUT).encode(), f"Bearer {secret}"
        return {
            post(node.port, "/v1/embeddings", body, authorization=bearer).status for node in nodes for _ in range(6)
        }

    started = time.monotonic()
    until(lambda: statuses() == {200})
    assert admin(ports[1], "DELETE", f"/keys/{key_id}").status == 200
    until(lambda: statuses() == {401})
    assert time.monotonic() - started < 60
    # Several workers answer; each of them knows what the others have done.
    for number in range(6):
        assert admin(ports[number % 2], "POST", "/teams", {"name": f"t{number}"}).status == 201
    for port in ports:
        assert len(admin(port, "GET", "/teams").json["data"]) == 6
    assert all(node.output.count("Admin key, shown this once") <= 1 for node in nodes)
    assert sum("Admin key, shown this once" in node.output for node in nodes) == 1
