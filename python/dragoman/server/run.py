"""``dragoman serve``: checks what can be checked, says what to try, and keeps workers alive."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dragoman.config.check import is_loopback
from dragoman.config.schema import Provider
from dragoman.errors import ConfigError
from dragoman.providers.catalogue import row
from dragoman.server.spec import SPEC_VARIABLE, WorkerSpec
from dragoman.server.supervise import ADDRESS_VARIABLE, BANNER_VARIABLE, SILENT_VARIABLE, WORKERS_VARIABLE

if TYPE_CHECKING:
    from dragoman.config.load import Overrides
    from dragoman.config.schema import Config


def run(config: Config, config_path: Path | None, overrides: Overrides) -> int:
    """Become the process that serves until told to stop; its exit status is this one's.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    address = _address(config.server.host)
    port = _free_port(address, config.server.port)
    admin_address, admin_port = _admin_place(config, port)
    spec = WorkerSpec(
        config_path=str(config_path.absolute()) if config_path else None,
        overrides=_with_port(overrides, port),
        address=address,
        port=port,
        log_level=config.server.log_level,
        admin_address=admin_address,
        admin_port=admin_port,
    )
    environ = os.environ | {
        SPEC_VARIABLE: msgspec.json.encode(spec).decode(),
        BANNER_VARIABLE: banner(config, address, port) + _admin_line(admin_address, admin_port),
        ADDRESS_VARIABLE: f"{address} {port}",
        WORKERS_VARIABLE: str(config.server.workers),
        SILENT_VARIABLE: str(config.server.silent_s),
    }
    # What was imported to read the configuration is not needed again: the next program starts without it.
    os.execve(sys.executable, [sys.executable, "-m", "dragoman.server.supervise"], environ)  # noqa: S606


def _example_model(config: Config) -> str:
    if config.rehearsal.enabled:
        return "rehearsal/demo"
    name, provider = next(iter(config.providers.items()), ("PROVIDER", Provider()))
    kind = row(provider.kind or name)
    return f"{name}/{(kind.example if kind else '') or 'MODEL'}"


def _with_port(overrides: Overrides, port: int) -> Overrides:
    return msgspec.structs.replace(overrides, port=port)


def _address(host: str) -> str:
    """The IP address of a host name."""
    try:
        return str(socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise ConfigError([f"server.host: {host!r} is no address of this machine: {error}"]) from None


def _admin_place(config: Config, port: int) -> tuple[str, int]:
    """Where the admin API is served; port 0: nowhere. One that nobody has named may be taken by another."""
    if not config.admin.enabled:
        return "", 0
    address = _address(config.admin.host)
    if config.admin.port is not None:
        return address, _free_port(address, config.admin.port, "admin.port")
    try:
        return address, _free_port(address, min(port + 1, 65535))
    except ConfigError:
        return "", 0


def _admin_line(address: str, port: int) -> str:
    if not port:
        return "\nThe admin API is not served (admin.port names a free port; admin.enabled switches it on)."
    return f"\nAdmin API: http://{f'[{address}]' if ':' in address else address}:{port}/admin/v1/openapi.json"


def _free_port(address: str, port: int, field: str = "server.port") -> int:
    """The port, found free; a free one for 0. (A worker shares its port: two gateways would not notice each other.)"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ConfigError([f"{field}: {address}:{port} cannot be listened on: {error.strerror}"]) from None
        return int(probe.getsockname()[1])


def banner(config: Config, address: str, port: int) -> str:
    """What to try next; the lines work as pasted."""
    host = "127.0.0.1" if address in {"0.0.0.0", "::"} else address  # noqa: S104 - compared, not bound
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    model = next(iter(config.routes), None) or next(iter(config.deployments), None)
    if model is None:
        model = _example_model(config)
    needs_key = bool(config.keys) or not is_loopback(config.server.host)
    key = "$DRAGOMAN_KEY" if needs_key else "none"
    header = f' \\\n    -H "Authorization: Bearer {key}"' if needs_key else ""
    workers = f" with {config.server.workers} workers" if config.server.workers > 1 else ""
    served = ", ".join([*config.providers, *(["rehearsal"] if config.rehearsal.enabled else [])])
    return f"""
Dragoman listens on {base_url}{workers}   (providers: {served})

Try it:

  curl {base_url}/chat/completions{header} \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'

Or with OpenAI's SDK (pip install openai):

  python3 - <<'END'
  import os
  from openai import OpenAI
  client = OpenAI(base_url="{base_url}", api_key=os.environ.get("DRAGOMAN_KEY", "none"))
  for chunk in client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "Hello!"}}], stream=True
  ):
      if chunk.choices:
          print(chunk.choices[0].delta.content or "", end="", flush=True)
  print()
  END

Figures: {base_url[:-3]}/metrics   Readiness: {base_url[:-3]}/readyz   Usage: dragoman usage   Stop: Ctrl-C
""".rstrip()
