"""A copy of each record to a collector of others, as RFC 5424 has it, over UDP: sent, and not waited for."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

# The facility "log audit", severity informational (RFC 5424, 6.2.1).
PRIORITY = 13 * 8 + 6
# What one datagram carries; a longer record is cut.
MOST_BYTES = 60_000


class Syslog:
    """A collector."""

    def __init__(self, url: str) -> None:
        """:param url: ``udp://host:port``."""
        parts = urlsplit(url)
        self.dropped = 0
        self._place = (parts.hostname or "127.0.0.1", parts.port or 514)
        self._socket: socket.socket | None = None
        self._host = socket.gethostname() or "-"

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()

    def send(self, line: bytes, at_ms: int) -> None:
        """Send a record. Never waits, never raises."""
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"<{PRIORITY}>1 {moment} {self._host} dragoman {os.getpid()} audit - ".encode()
        try:
            if self._socket is None:
                family, kind, protocol, _, place = socket.getaddrinfo(*self._place, type=socket.SOCK_DGRAM)[0]
                self._socket = socket.socket(family, kind, protocol)
                self._socket.settimeout(0)
                self._socket.connect(place)
            self._socket.send((head + line)[:MOST_BYTES])
        except OSError:
            self.dropped += 1
