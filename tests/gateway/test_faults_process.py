"""What the gateway does when its process is stopped, killed, or runs out of what it needs: P1 to P8, P10, P16, P19.

Each test is named after its row in the catalogue of faults. What the catalogue says of the audit is said here of the
usage rows, as far as they promise it (``usage/write.py``). Power cuts (P6) and reloading (P15, P17) have files of their
own.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2
from tests.gateway.client import Client, Response, chat
from tests.gateway.gateway import SECRET, Gateway, config_for
from tests.gateway.upstream import (
    LAST_CHUNK,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    hold,
    role_event,
    send,
    stream_head,
    until,
)

PATIENCE_S = 30.0
# Rows put in the queue longer ago than this are in the database, however busy the machine.
WRITTEN_AFTER_S = 3.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, f"in vain: {what}"
        time.sleep(0.02)


def refuses(gateway: Gateway) -> bool:
    """Whether a new connection is refused, or closed unanswered."""
    try:
        gateway.get("/healthz")
    except ConnectionError:
        return True
    return False


def answers(gateway: Gateway) -> bool:
    return not refuses(gateway)


def worker(gateway: Gateway) -> int:
    """The process id of the worker, once there is one."""
    wait_for(lambda: len(gateway.processes) == 2, "a worker")
    return gateway.processes[1]


def kill_worker(gateway: Gateway) -> float:
    """Kill -9, and wait until another worker answers; when the first died."""
    killed = worker(gateway)
    os.kill(killed, signal.SIGKILL)
    killed_s = time.monotonic()
    wait_for(lambda: len(gateway.processes) == 2 and gateway.processes[1] != killed, "another worker")
    wait_for(lambda: answers(gateway), "an answer")
    return killed_s


def begun(gateway: Gateway, upstream: Upstream, client: Client, **fields: Any) -> Response:
    """A stream of which the client has had the first text."""
    client.chat(stream=True, **fields)
    response = client.read_head()
    for part in client.parts(response):
        response.body += part
        if b'"Hi"' in response.body:
            break
    return response


BEGINS = send(stream_head() + chunk(role_event() + event("Hi")))
ENDS = send(b"".join(map(chunk, [event(finish_reason="stop"), b"data: [DONE]\n\n"])) + LAST_CHUNK)


def rest(client: Client, response: Response) -> Response:
    """What is still to come of a stream."""
    for part in client.parts(response):
        response.body += part
    return response


def quick_check(gateway: Gateway) -> str:
    path = gateway.directory / "data" / "dragoman.db"
    with contextlib.closing(dbapi2.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA quick_check").fetchone()[0])


Start = Callable[..., Gateway]


def test_p01_sigterm_lets_streams_finish_and_ends_the_rest_at_the_deadline(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url, server={"drain_s": 4.0}))
    gate = threading.Event()
    finishing, lasting = 20, 5
    for _ in range(finishing):
        upstream.reply(expect, BEGINS, until(gate), ENDS)
    for _ in range(lasting):
        upstream.reply(expect, BEGINS, hold)
    upstream.reply(expect, hold)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(started.port)) for _ in range(finishing + lasting + 1)]
        streams = [begun(started, upstream, client) for client in clients[:-1]]
        clients[-1].chat()
        upstream.received(finishing + lasting + 1)
        idle = stack.enter_context(Client(started.port))
        idle.ask("GET", "/healthz")
        assert idle.read().status == 200
        started.signal(signal.SIGTERM)
        wait_for(lambda: refuses(started), "no new connections")
        assert idle.closed()
        gate.set()
        ended = [rest(client, response) for client, response in zip(clients, streams, strict=False)]
        whole = clients[-1].read()
    for response in ended[:finishing]:
        assert response.complete
        assert response.body.endswith(b"data: [DONE]\n\n")
    for response in ended[finishing:]:
        assert response.complete
        assert json.loads(response.events[-1])["error"]["code"] == "shutting_down"
        assert b"[DONE]" not in response.body
    assert (whole.status, whole.error["code"]) == (503, "shutting_down")
    assert whole.headers["retry-after"] == "1"
    assert started.wait() == 0
    rows = started.settled(finishing + lasting + 1)
    assert sorted(row["error_code"] for row in rows) == [""] * finishing + ["shutting_down"] * (lasting + 1)
    assert upstream.closed(finishing) is not None


def test_p01_a_slow_reader_gets_all_of_what_was_answered(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url, server={"drain_s": 20.0}))
    body = chat_answer("x" * 8_000_000)
    upstream.reply(expect, answer(body))
    with Client(started.port, receive_buffer=4096) as client:
        client.chat()
        started.rows(1)
        started.signal(signal.SIGTERM)
        time.sleep(2.5)
        assert started.process is not None
        assert started.process.poll() is None
        assert client.read().body == body
    assert started.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_p02_a_second_signal_ends_all_at_once(gateway: Start, upstream: Upstream, second: int) -> None:
    started = gateway(config_for(upstream.base_url, server={"drain_s": 600.0}))
    upstream.reply(expect, BEGINS, hold)
    with Client(started.port) as client:
        response = begun(started, upstream, client)
        started.signal(signal.SIGTERM)
        wait_for(lambda: refuses(started), "no new connections")
        started.signal(second)
        response = rest(client, response)
    assert json.loads(response.events[-1])["error"]["code"] == "shutting_down"
    assert started.wait() == 0
    (row,) = started.settled(1)
    assert (row["error_code"], row["fault"], row["usage_source"]) == ("shutting_down", "gateway", "counted")
    assert quick_check(started) == "ok"


@pytest.mark.parametrize("alone", [signal.SIGQUIT])
def test_p02_a_quit_needs_no_second(gateway: Start, upstream: Upstream, alone: int) -> None:
    started = gateway(config_for(upstream.base_url, server={"drain_s": 600.0}))
    upstream.reply(expect, BEGINS, hold)
    with Client(started.port) as client:
        response = begun(started, upstream, client)
        started.signal(alone)
        assert b"shutting_down" in rest(client, response).body
    assert started.wait() == 0
    assert len(started.settled(1)) == 1


def test_p03_a_killed_worker_is_replaced(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url))
    upstream.reply(expect, answer())
    upstream.reply(expect, BEGINS, hold)
    upstream.reply(expect, answer())
    assert chat(started.port).status == 200
    started.rows(1)
    with Client(started.port) as client:
        response = begun(started, upstream, client)
        kill_worker(started)
        response = rest(client, response)
    assert not response.complete
    assert b"[DONE]" not in response.body
    assert upstream.closed(upstream.requests[1].connection.number) is not None
    assert chat(started.port).status == 200
    assert [row["status"] for row in started.settled(2)] == [200, 200]
    pauses = [float(line.split()[-2]) for line in started.output.splitlines() if "another starts in" in line]
    assert len(pauses) == 1
    assert pauses[0] <= 2
    assert quick_check(started) == "ok"


def test_p03_a_worker_whose_supervisor_was_killed_does_not_stay(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url))
    pid = worker(started)
    started.signal(signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or is_dead(pid), "the worker's end")
    assert refuses(started)


def is_dead(pid: int) -> bool:
    """Whether a process has ended, though nobody has asked for its status."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_p04_kills_at_random_lose_no_row_that_had_time_and_double_none(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url))
    upstream.reply(expect, answer())
    chance = random.Random(4)
    answered: dict[str, float] = {}
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            with contextlib.suppress(ConnectionError, TimeoutError):
                response = chat(started.port)
                answered[response.headers["x-request-id"]] = time.monotonic()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    kills = []
    for _ in range(4):
        time.sleep(chance.uniform(0.2, 1.5))
        kills.append(kill_worker(started))
    stopping.set()
    for thread in threads:
        thread.join()
    assert started.stop() == 0
    recorded = [row["request_id"] for row in started.rows(0)]
    assert len(set(recorded)) == len(recorded)
    lost = answered.keys() - set(recorded)
    for request_id in lost:
        assert any(abs(kill_s - answered[request_id]) < WRITTEN_AFTER_S for kill_s in kills), request_id
    assert len(recorded) > len(kills)
    assert quick_check(started) == "ok"


@contextlib.contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """While no file of the process may be written beyond its first few pages."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16 * 1024, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.parametrize("streamed", [False, True])
def test_p05_what_was_under_way_when_the_process_was_killed_is_not_free(
    gateway: Start, upstream: Upstream, streamed: bool
) -> None:
    config = config_for(upstream.base_url, limits={"money": {"cost_usd": 1.0, "per": "ever"}})
    config["deployments"]["up0"] |= {"price": {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}}
    started = gateway(config)
    upstream.reply(*([BEGINS, hold] if streamed else [expect, hold]))
    with Client(started.port) as client:
        client.chat(stream=streamed, max_tokens=1000)
        upstream.received(1)
        kill_worker(started)
    (limit,) = started.get("/v1/usage").json["limits"]
    assert float(limit["spent"]) >= 1000 * 10 / 1e6
    assert float(limit["held"]) == 0
    assert "the last process was killed" in started.output
    assert started.rows(0) == []


def test_p07_a_full_disk_fails_no_request_and_loses_no_row(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url))
    upstream.reply(expect, answer())
    assert chat(started.port).status == 200
    started.rows(1)
    with full_disk(worker(started)):
        assert {chat(started.port).status for _ in range(50)} == {200}
        wait_for(lambda: "degraded" in started.get("/readyz").json, "readiness")
        wait_for(lambda: any("usage" in said for said in started.get("/readyz").json["degraded"]), "a degraded usage")
        assert started.get("/readyz").status == 200
        assert b"dragoman_usage_write_failures " in started.get("/metrics").body
    rows = started.settled(51)
    assert len({row["request_id"] for row in rows}) == 51
    wait_for(lambda: started.get("/readyz").json["degraded"] == [], "recovery")
    assert quick_check(started) == "ok"
    assert "Traceback" not in started.output


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long offset_s(void) {
    long long offset = 0;
    FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
    if (file) {
        if (fscanf(file, "%lld", &offset) != 1) offset = 0;
        fclose(file);
    }
    return offset;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += offset_s();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *when) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when) *when = now.tv_sec;
    return now.tv_sec;
}
"""
HOUR_S, YEAR_S = 3600, 365 * 86400


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A file that says how many seconds the wall clock is off, and the environment in which it is believed."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, so no other clock")
    source, library, offset = tmp_path / "clock.c", tmp_path / "clock.so", tmp_path / "offset"
    source.write_text(CLOCK)
    offset.write_text("0")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    yield offset, {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}


def test_p08_a_clock_that_jumps_changes_no_duration(
    clock: tuple[Path, dict[str, str]], upstream: Upstream, tmp_path: Path
) -> None:
    offset, environ = clock
    directory = tmp_path / "gateway"
    directory.mkdir()
    jumps = [0, HOUR_S, -HOUR_S, YEAR_S, -YEAR_S, 1]
    gates = [threading.Event() for _ in jumps]
    for gate in gates:
        upstream.reply(expect, BEGINS, until(gate), ENDS)
    upstream.reply(expect, answer(b"{}", 503, retry_after_ms="50"))
    upstream.reply(expect, answer())
    with Gateway(config_for(upstream.base_url, defaults={"deadline_s": 60}), directory, environ) as started:
        for jump, gate in zip(jumps, gates, strict=True):
            with Client(started.port) as client:
                response = begun(started, upstream, client)
                offset.write_text(str(jump))
                time.sleep(0.5)
                gate.set()
                assert rest(client, response).body.endswith(b"data: [DONE]\n\n")
        assert chat(started.port).status == 200
        rows = started.settled(len(jumps) + 1)
        assert {row["error_code"] for row in rows} == {""}
        assert all(0 <= row["total_ms"] < 30_000 for row in rows)
        started_s = [row["started_at_ms"] / 1000 - time.time() for row in rows]
        assert max(started_s) > YEAR_S / 2
        assert min(started_s) < -YEAR_S / 2
        assert started.get("/readyz").json["degraded"] == []


def cpu_s(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_p10_where_descriptors_are_few_connections_wait_and_others_are_served(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.reply(expect, answer())
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))"
    (tmp_path / "sitecustomize.py").write_text(limited)
    environ = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(Gateway(config_for(upstream.base_url), tmp_path, environ))
        pid = worker(started)
        idle = [stack.enter_context(Client(started.port)) for _ in range(120)]
        idle[0].chat()
        assert idle[0].read().status == 200
        assert len(os.listdir(f"/proc/{pid}/fd")) < 160
        before_s = cpu_s(pid)
        time.sleep(1)
        assert cpu_s(pid) - before_s < 0.5, "a busy loop"
        idle[-1].chat()
        for client in idle[:-1]:
            client.socket.close()
        assert idle[-1].read().status == 200


BAD: dict[str, Any] = {
    "server": {"prot": 1, "limits": {"max_body_bytes": 0}},
    "providers": {"p": {"base_url": "ftp://x"}},
    "routes": {"r": {"tiers": [["nowhere"]]}},
    "sevrer": {},
}


def run_serve(directory: Path, config: dict[str, Any], **environ: str) -> subprocess.CompletedProcess[str]:
    """``dragoman serve`` with a configuration that it should refuse."""
    gateway = Gateway(config, directory)
    command = [sys.executable, "-m", "dragoman", "serve", "--config", str(gateway.config_path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, env=os.environ | environ, check=False
    )


def test_p16_a_bad_configuration_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    ended = run_serve(tmp_path, BAD)
    assert ended.returncode == 78
    for named in ("prot", "max_body_bytes", "base_url", "nowhere", "sevrer"):
        assert named in ended.stderr, named
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_p16_others_are_not_listened_to_without_a_key(tmp_path: Path, host: str) -> None:
    config = config_for("http://127.0.0.1:9/v1")
    ended = run_serve(tmp_path, config | {"server": {"host": host or "localhost.localdomain", "port": 0}})
    assert ended.returncode == 78
    assert host == "" or "dragoman keys create" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout


def test_p16_a_limit_that_the_server_cannot_keep_is_refused(tmp_path: Path) -> None:
    config = config_for("http://127.0.0.1:9/v1", server={"limits": {"max_header_bytes": 4096}})
    ended = run_serve(tmp_path, config)
    assert ended.returncode == 78
    assert "max_header_bytes" in ended.stderr


def test_p19_a_second_gateway_on_the_same_data_is_refused(gateway: Start, upstream: Upstream, tmp_path: Path) -> None:
    started = gateway(config_for(upstream.base_url))
    store = {"data_dir": str(started.directory / "data")}
    ended = run_serve(tmp_path, config_for(upstream.base_url, store=store))
    assert ended.returncode == 78
    assert "another server" in ended.stderr
    assert answers(started)


def test_p20_workers_are_begun_by_a_process_that_has_nothing_to_share(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url))
    supervisor, serving = started.processes[0], worker(started)
    held = {fd: os.readlink(f"/proc/{supervisor}/fd/{fd}") for fd in os.listdir(f"/proc/{supervisor}/fd")}
    assert not any(where.startswith("socket:") or str(started.directory / "data") in where for where in held.values())
    maps = Path(f"/proc/{supervisor}/maps").read_text()
    assert "_core" not in maps and "uvloop" not in maps
    assert "_core" in Path(f"/proc/{serving}/maps").read_text()
    assert os.getsid(serving) == serving


def test_requests_and_connections_have_a_largest_number(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url, server={"limits": {"max_concurrent": 2, "max_connections": 4}}))
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(started.port)) for _ in range(5)]
        for client in clients[:2]:
            client.chat()
        upstream.received(2)
        clients[2].chat()
        full = clients[2].read()
        assert (full.status, full.error["code"], full.headers["retry-after"]) == (503, "overloaded", "1")
        clients[3].ask("GET", "/healthz")
        assert clients[3].read().status == 200
        clients[4].ask("GET", "/healthz")
        clients[4].socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            clients[4].read()
        clients[3].socket.close()
        clients[4].socket.settimeout(PATIENCE_S)
        assert clients[4].read().status == 200
        gate.set()
        assert [client.read().status for client in clients[:2]] == [200, 200]
        clients[2].chat()
        assert clients[2].read().status == 200
    assert sorted(row["status"] for row in started.settled(3)) == [200, 200, 200]
