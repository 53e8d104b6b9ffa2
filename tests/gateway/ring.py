"""One gateway before many providers, so that a test has a pair of its own and the process is started once.

Each pair of scripted upstreams stands behind three aliases: the first with the second to fall back to, the first alone
(with retries), and the first once. What one test does to its pair leaves the breakers and the budgets of all the
others alone. When the tests are through, the gateway is asked whether anything was left behind.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.client import Client, Response, chat, chat_body
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.upstream import Upstream

TIMEOUTS = {"connect_s": 1.0, "first_byte_s": 1.0, "idle_s": 0.8, "total_s": 20.0}
MAX_EVENT_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
LIMITS = {"max_event_bytes": MAX_EVENT_BYTES, "max_answer_bytes": MAX_ANSWER_BYTES, "heartbeat_s": 0.25}


@dataclass
class Pair:
    """Two upstreams and their aliases."""

    gateway: Gateway
    alias: str
    first: Upstream
    second: Upstream

    @property
    def alone(self) -> str:
        """The first upstream with nothing to fall back to, tried again where that may help."""
        return f"{self.alias}-alone"

    @property
    def once(self) -> str:
        """The first upstream, one attempt."""
        return f"{self.alias}-once"

    def ask(self, alias: str = "", **fields: Any) -> Response:
        """A chat request, by default to the alias that falls back; the response names no secret."""
        response = chat(self.gateway.port, model=alias or self.alias, **fields)
        seen = response.body + repr(response.headers).encode()
        assert SECRET.encode() not in seen
        return response

    def post(self, path: str, **fields: Any) -> Response:
        """Another request than chat."""
        with Client(self.gateway.port) as client:
            client.ask("POST", path, chat_body(**({"model": self.once, "messages": None} | fields)))
            return client.read()

    def cut(self, gate: threading.Event, texts: list[str], **fields: Any) -> Response:
        """A streamed request; the gate is opened once all the texts have come, so that none is lost to what follows."""
        with Client(self.gateway.port) as client:
            client.chat(model=fields.pop("alias", self.alias), stream=True, **fields)
            response = client.read_head()
            for part in client.parts(response):
                response.body += part
                if all(json.dumps(text).encode() in response.body for text in texts):
                    gate.set()
            return response

    def row(self, count: int = 1) -> dict[str, Any]:
        """The last usage row of this pair, of exactly ``count``."""
        return self.rows(count)[-1]

    def rows(self, count: int) -> list[dict[str, Any]]:
        """The usage rows of this pair, exactly so many."""
        until_s = time.monotonic() + 20
        while len(rows := self._rows()) < count and time.monotonic() < until_s:
            time.sleep(0.02)
        assert len(rows) == count, rows
        return rows

    def _rows(self) -> list[dict[str, Any]]:
        mine = {self.alias, self.alone, self.once}
        return [row for row in self.gateway.rows(0) if row["alias"] in mine]


class Ring:
    """The gateway and its pairs. ``urls`` puts other first upstreams, by name, in place of scripted ones."""

    def __init__(self, directory: Path, pairs: int, urls: dict[str, dict[str, Any]] | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._directory = directory
        self._pairs = [(f"r{number}", Upstream(), Upstream()) for number in range(pairs)]
        self._named = {name: (Upstream(), provider) for name, provider in (urls or {}).items()}
        self._given = 0
        self.gateway: Gateway

    def __enter__(self) -> Ring:
        for _, first, second in self._pairs:
            self._stack.enter_context(first)
            self._stack.enter_context(second)
        for second, _ in self._named.values():
            self._stack.enter_context(second)
        self.gateway = self._stack.enter_context(Gateway(self._config(), self._directory))
        self.files_at_rest = self.gateway.open_files
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def pair(self) -> Pair:
        """A pair that no test has had."""
        alias, first, second = self._pairs[self._given]
        self._given += 1
        return Pair(self.gateway, alias, first, second)

    def named(self, name: str) -> Pair:
        """The pair whose first upstream is another; ``first`` is then the second as well."""
        second, _ = self._named[name]
        return Pair(self.gateway, name, second, second)

    def check(self) -> None:
        """What every test must have left alone: the process, its files, its secrets."""
        assert self.gateway.process is not None
        assert self.gateway.process.poll() is None
        output = self.gateway.output
        assert SECRET not in output
        assert "Traceback" not in output, output
        assert "panicked" not in output, output
        assert self.gateway.get("/healthz").status == 200

    def _config(self) -> dict[str, Any]:
        provider = {"kind": "openai", "api_key": SECRET, "allow_private": True, "timeouts": TIMEOUTS}
        providers: dict[str, Any] = {}
        routes: dict[str, Any] = {}
        for alias, first, second in self._pairs:
            providers[f"{alias}a"] = provider | {"base_url": first.base_url}
            providers[f"{alias}b"] = provider | {"base_url": second.base_url}
            routes |= _routes(alias)
        for name, (second, given) in self._named.items():
            providers[f"{name}a"] = provider | given
            providers[f"{name}b"] = provider | {"base_url": second.base_url}
            routes |= _routes(name)
        deployments = {name: {"provider": name, "model": "gpt-4o-mini"} for name in providers}
        return {"server": {"limits": LIMITS}, "providers": providers, "deployments": deployments, "routes": routes}


def _routes(alias: str) -> dict[str, Any]:
    return {
        alias: {"tiers": [[f"{alias}a"], [f"{alias}b"]]},
        f"{alias}-alone": {"tiers": [[f"{alias}a"]], "retries": 3},
        f"{alias}-once": {"tiers": [[f"{alias}a"]], "retries": 0},
    }
