"""What stands between a PostgreSQL and whoever writes to it, and cuts connections at the worst moment.

It passes on whole messages (https://www.postgresql.org/docs/current/protocol-message-formats.html) and knows a COMMIT,
which drivers send as a simple query. One that is cut *after* has been carried out and answered by the server, and the
answer is lost; one that is cut *before* never reaches it. Neither shows to the one who sent it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal

from sqlalchemy import make_url

Cut = Literal["", "before", "after"]
# What asks for it, by TLS and by GSSAPI: what is encrypted cannot be read here.
ENCRYPTION = (80877103, 80877104)


class Between:
    """The middle. Use it as a context manager.

    :param choose: asked at each COMMIT what is to become of it, on whatever thread.
    """

    def __init__(self, url: str, choose: Callable[[], Cut]) -> None:
        self._behind = make_url(url)
        self._choose = choose
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.cuts: list[Cut] = []
        self.is_away = False  # nobody is let in
        self._sockets: set[socket.socket] = set()
        host, port = self._listener.getsockname()
        self.url = self._behind.set(host=host, port=port, query={}).render_as_string(hide_password=False)

    def __enter__(self) -> Between:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._sockets):
            _close(one)

    def shut(self) -> None:
        """Let nobody in, and break off what is open."""
        self.is_away = True
        for one in list(self._sockets):
            _close(one)

    def open(self) -> None:
        """Let come in again."""
        self.is_away = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_away:
                    client.close()
                    continue
                Passing(client, self._connect(), self._choose, self.cuts, self._sockets).start()

    def _connect(self) -> socket.socket:
        directory = self._behind.query.get("host")
        if isinstance(directory, str) and directory.startswith("/"):
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(f"{directory}/.s.PGSQL.{self._behind.port or 5432}")
            return behind
        return socket.create_connection((self._behind.host or "127.0.0.1", self._behind.port or 5432))


class Passing:
    """One connection."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        choose: Callable[[], Cut],
        cuts: list[Cut],
        sockets: set[socket.socket],
    ) -> None:
        self._client = client
        self._server = server
        self._choose = choose
        self._cuts = cuts
        self._sockets = sockets
        self._answers_lost = threading.Event()

    def start(self) -> None:
        """Pass on, both ways."""
        self._sockets |= {self._client, self._server}
        for work in (self._ask, self._answer):
            threading.Thread(target=self._until_closed, args=(work,), daemon=True).start()

    def _until_closed(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, EOFError):
            work()
        for one in (self._client, self._server):
            self._sockets.discard(one)
            _close(one)

    def _ask(self) -> None:
        while True:
            length = _exactly(self._client, 4)
            body = _exactly(self._client, struct.unpack("!I", length)[0] - 4)
            if struct.unpack("!I", body[:4])[0] in ENCRYPTION:
                self._client.sendall(b"N")
                continue
            self._server.sendall(length + body)
            break
        while True:
            kind, message = _message(self._client)
            cut = self._choose() if kind == b"Q" and message[5:].rstrip(b"\0").upper() == b"COMMIT" else ""
            if cut:
                self._cuts.append(cut)
            if cut == "before":
                return
            if cut == "after":
                self._answers_lost.set()
            self._server.sendall(message)

    def _answer(self) -> None:
        while True:
            if not self._answers_lost.is_set():
                data = self._server.recv(65536)
                if not data:
                    return
                # What comes now may be the answer that is to be lost; what came before has been read by the client.
                if not self._answers_lost.is_set():
                    self._client.sendall(data)
                    continue
            return


def _message(of: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(of, 5)
    return head[:1], head + _exactly(of, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(of: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        data = of.recv(count - len(found))
        if not data:
            raise EOFError
        found += data
    return found


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
