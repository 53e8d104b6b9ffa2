"""Services that guardrails call out to, on real sockets: what they answer is a function of what they are sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, Any], Any]


class Service:
    """One service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.raw: list[bytes] = []
        self.status = 200
        self.answer: Answer = lambda path, body: {}
        self.gate = threading.Event()
        self.gate.set()


@contextmanager
def serving() -> Iterator[Service]:
    """A service, until the end."""
    service: Service

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.raw.append(raw)
            service.asked.append((self.path, headers, json.loads(raw)))
            service.gate.wait(20)
            answer = service.answer(self.path, json.loads(raw))
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(service.status)
            if 300 <= service.status < 400:
                self.send_header("location", "http://127.0.0.1:9/")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.gate.set()
        server.shutdown()
        server.server_close()


def deny(*words: str, verdict: str = "block") -> Answer:
    """A webhook that refuses texts with a word."""

    def answer(_: str, body: Any) -> Any:
        said = " ".join(one["text"] for one in body["texts"]).lower()
        found = [word for word in words if word in said]
        return {"verdict": verdict, "reason": f"talk of {found[0]}", "score": 0.75} if found else {"verdict": "allow"}

    return answer
