"""The real gateway in a process of its own: started with a configuration, asked on its port, stopped by a signal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from tests.gateway.client import Response, get

PATIENCE_S = 30.0
SECRET = "sk-upstream-canary-4b1f0c9e"  # the provider's key in every configuration made here: it must show nowhere


class Gateway:
    """One running gateway. Use it as a context manager; leaving it stops the process."""

    def __init__(self, config: dict[str, Any], directory: Path, environ: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / "gateway.log"
        self.config_path = directory / "dragoman.yaml"
        self.write(config)
        self._environ = {
            name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_proxy", "_PROXY"))
        }
        self._environ |= environ or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    def write(self, config: dict[str, Any]) -> None:
        """Puts a configuration where the gateway reads it. (JSON is YAML.)"""
        server = {"host": "127.0.0.1", "port": self.port, "drain_s": 3.0} | config.get("server", {})
        store = {"data_dir": str(self.directory / "data")} | config.get("store", {})
        admin = {"enabled": False} | config.get("admin", {})  # its port might be another gateway's
        self.put(json.dumps(config | {"server": server, "store": store, "admin": admin}))

    def put(self, text: str, encoding: str = "utf-8") -> None:
        """Puts a configuration's text there whole: half a file would be another bad one."""
        draft = self.config_path.with_suffix(".draft")
        draft.write_text(text, encoding)
        draft.replace(self.config_path)

    def __enter__(self) -> Gateway:
        command = [sys.executable, "-m", "dragoman", "serve", "--config", str(self.config_path)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=self._environ, start_new_session=True
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """What an SDK is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def output(self) -> str:
        """Everything that the process has printed."""
        return self.log.read_text(errors="replace")

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Sends a signal to the process that was started."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit status, once the process has ended."""
        assert self.process is not None
        self.exit_code = self.process.wait(timeout_s)
        return self.exit_code

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """Stops it by SIGTERM; whatever is left of it afterwards is killed. The exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.signal()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the gateway did not stop within {timeout_s} s:\n{self.output}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def get(self, path: str, **headers: str) -> Response:
        """One GET."""
        return get(self.port, path, **headers)

    def rows(self, count: int, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """The usage rows in order of their ending, once there are ``count``; more or fewer are the test's to find."""
        until_s = time.monotonic() + timeout_s
        rows = self._read_rows()
        while len(rows) < count and time.monotonic() < until_s:
            time.sleep(0.05)
            rows = self._read_rows()
        return rows

    def settled(self, count: int) -> list[dict[str, Any]]:
        """Exactly so many rows: it waits for them, then a moment longer for one too many."""
        self.rows(count)
        time.sleep(0.3)
        rows = self._read_rows()
        assert len(rows) == count, rows
        return rows

    @property
    def processes(self) -> list[int]:
        """The ids of the process and of all that it has started."""
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(FileNotFoundError):
                for thread in sorted(Path(f"/proc/{pid}/task").iterdir()):
                    found.extend(int(child) for child in (thread / "children").read_text().split())
        return found

    @property
    def open_files(self) -> int:
        """File descriptors of all its processes."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.processes)

    @property
    def resident_bytes(self) -> int:
        """Resident memory of all its processes."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.processes]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def _read_rows(self) -> list[dict[str, Any]]:
        path = self.directory / "data" / "dragoman.db"
        if not path.exists():
            return []
        with contextlib.closing(dbapi2.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = dbapi2.Row
            return [dict(row) for row in connection.execute("SELECT * FROM usage ORDER BY rowid")]

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            assert self.process.poll() is None, f"the gateway ended:\n{self.output}"
            with contextlib.suppress(ConnectionError):
                if self.get("/readyz").status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the gateway is not ready:\n{self.output}")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_for(*base_urls: str, strategy: str = "priority", **fields: Any) -> dict[str, Any]:
    """A configuration whose route ``chat`` tries these upstreams one after the other, each a tier of its own."""
    names = [f"up{number}" for number in range(len(base_urls))]
    provider = {"kind": "openai", "api_key": SECRET, "allow_private": True} | fields.pop("provider", {})
    route = {"tiers": [[name] for name in names], "strategy": strategy} | fields.pop("route", {})
    return {
        "providers": {name: {"base_url": url, **provider} for name, url in zip(names, base_urls, strict=True)},
        "deployments": {name: {"provider": name, "model": "gpt-4o-mini"} for name in names},
        "routes": {"chat": route},
    } | fields


def running(config: dict[str, Any], directory: Path) -> Iterator[Gateway]:
    """A gateway with this configuration, stopped afterwards."""
    with Gateway(config, directory) as gateway:
        yield gateway
