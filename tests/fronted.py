"""The application behind its front: requests are sent over sockets, so that they may go the express way.

Whatever is not plain would be relayed, to a server that does not listen here.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from pathlib import Path
from typing import Any

from tests.served import PATIENCE_S, Protocol, Served

from dragoman.core import Front
from dragoman.server.app import App

# How an answer is framed is not its matter.
FRAMING = {"connection", "content-length", "date", "transfer-encoding"}
NOWHERE = "127.0.0.1:1"
BOUNDS = {"connections": 1000, "idle_s": 60.0, "head_bytes": 65536, "bodies_bytes": 1 << 20, "write_s": 60.0}


class Wire(Protocol):
    """One request, on a connection of its own."""

    def __init__(self, served: Fronted, head: bytes, body: bytes | None) -> None:
        super().__init__(body)
        self._served = served
        self._socket = socket.create_connection(served.address, timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        served.wires.add(self)
        self._socket.sendall(head + (body or b""))
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        response = http.client.HTTPResponse(self._socket)
        try:
            response.begin()
            given = ((name.lower(), value) for name, value in response.getheaders())
            self.headers = {name: value for name, value in given if name not in FRAMING}
            self.status = response.status
            while piece := response.read1(65536):
                self.pieces.append(piece)
            self.complete = True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self._socket.close()
            self._served.wires.discard(self)
            self.ended.set()

    def arrive(self, data: bytes | BaseException) -> bool:
        """The body comes, or breaks off."""
        if isinstance(data, bytes):
            self._socket.sendall(data)
        if not isinstance(data, bytes) or len(data) < len(b"{...}"):
            self._socket.shutdown(socket.SHUT_RDWR)
        return True

    def leave(self) -> None:
        """Hang up; whoever has been answered in this very moment has done so."""
        self.left = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def wait(self) -> Wire:
        """Once the client has its answer and the application is through with it."""
        assert self.ended.wait(PATIENCE_S), "the request did not end"
        by_s = time.monotonic() + PATIENCE_S
        while self._served.under_way > len(self._served.wires):
            assert time.monotonic() < by_s, "the request did not end"
            time.sleep(0.001)
        return self


class Fronted(Served):
    """A gateway, its application and its front."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        super().__init__(config, directory)
        self.wires: set[Wire] = set()  # that have no answer yet
        self.address = ("127.0.0.1", 0)
        self.front: Front

    def __enter__(self) -> Fronted:
        super().__enter__()
        with socket.create_server(self.address, backlog=1000) as listener:
            self.address = listener.getsockname()
            gateway = self.gateway
            self.front = Front(gateway.upstream, gateway.express.core, listener.fileno(), NOWHERE, BOUNDS)
        self.app.front = self.front
        return self

    def __exit__(self, *given: object) -> None:
        self.front.close()
        super().__exit__(*given)

    @property
    def under_way(self) -> int:
        """Requests that the application is not through with."""
        return len(self.app.in_flight) + self.gateway.express.core.in_flight

    def _begin(
        self, app: App, method: str, target: str, body: bytes | list[bytes] | None, headers: dict[str, str]
    ) -> Protocol:
        if app is self.admin or isinstance(body, list):
            return super()._begin(app, method, target, body, headers)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named = {"content-length": str(len(body))} | named
        lines = [f"{method} {target} HTTP/1.1", "host: gateway", *(f"{name}: {value}" for name, value in named.items())]
        return Wire(self, ("\r\n".join(lines) + "\r\n\r\n").encode(), body)
