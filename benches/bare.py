"""The least that granian can do: read the body, give a fixed answer. The gateway cannot cost less than this.

``BENCH_ANSWERS`` names a folder with the mock upstream's own answers (``whole``, ``stream``), so that the load
generator checks this one like any other. A stream leaves in one ``send_bytes``, as its burst arrives at a gateway in
one read.
"""

import os
from pathlib import Path
from typing import Any


class Bare:
    """An RSGI application with two answers."""

    def __rsgi_init__(self, loop: object) -> None:
        """Read the answers, once, in the worker."""
        folder = Path(os.environ["BENCH_ANSWERS"])
        self.whole = (folder / "whole").read_bytes()
        self.stream = (folder / "stream").read_bytes()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer by what the request's body asks for."""
        body = await proto()
        if b'"stream":true' in body[:200]:
            transport = proto.response_stream(200, [("content-type", "text/event-stream")])
            await transport.send_bytes(self.stream)
        else:
            proto.response_bytes(200, [("content-type", "application/json")], self.whole)


app = Bare()
