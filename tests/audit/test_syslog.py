from __future__ import annotations

import re
import socket

from dragoman.audit.syslog import MOST_BYTES, Syslog


def test_each_record_is_a_message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(20)
        syslog = Syslog(f"udp://127.0.0.1:{collector.getsockname()[1]}")
        syslog.send(b'{"kind":"request"}', 1_796_000_000_123)
        syslog.send(b"x" * 100_000, 0)
        message = collector.recv(70_000).decode()
        assert re.fullmatch(
            r'<110>1 2026-11-30T00:53:20\.123Z \S+ dragoman \d+ audit - \{"kind":"request"\}', message
        ), message
        assert len(collector.recv(70_000)) == MOST_BYTES
        assert syslog.dropped == 0
        syslog.close()


def test_a_collector_that_is_not_there_stops_nobody() -> None:
    syslog = Syslog("udp://no-such-host.invalid:514")
    syslog.send(b"{}", 0)
    assert syslog.dropped == 1
    syslog.close()
