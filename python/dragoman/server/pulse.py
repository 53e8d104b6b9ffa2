"""The pulse of a worker: that its event loop goes round, and so that Python runs.

Requests are begun without the loop, so a process whose loop stands still answers a while yet and finishes nothing. What
the loop does twice a second shows itself in two places: readiness looks at how long ago that was, and the supervisor,
which no worker can hold up, hears of it through a pipe. It replaces a worker that has fallen silent. That costs two
writes a second, and a request nothing.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
from contextlib import suppress
from time import monotonic

from dragoman.server.supervise import HEART_FILE, HEART_VARIABLE, SHOW

BEAT_EVERY_S = 0.5
NOT_READY_AFTER_S = 2.0


class Pulse:
    """One worker's. It begins with :meth:`beat`; before, nobody waits for it."""

    def __init__(self, pipe: int | None = None) -> None:
        self._pipe = pipe
        self._beaten_s = monotonic()
        self._beats = False

    @property
    def silent_s(self) -> float:
        """How long the loop has stood still."""
        return monotonic() - self._beaten_s if self._beats else 0.0

    @property
    def is_steady(self) -> bool:
        """Whether it goes round as it should."""
        return self.silent_s < NOT_READY_AFTER_S

    async def beat(self) -> None:
        """Beat until cancelled."""
        self._beats = True
        while True:
            self._beaten_s = monotonic()
            if self._pipe is not None:
                with suppress(BlockingIOError, BrokenPipeError):  # nobody hears it: the supervisor is gone, or stands
                    os.write(self._pipe, b".")
            await asyncio.sleep(BEAT_EVERY_S)

    def end(self) -> None:
        """Be listened to no more: what is still to be done before the process ends may take as long as it takes."""
        self._beats = False
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def own_pulse() -> Pulse:
    """That of this process, which its supervisor hears; without one, nobody does."""
    if not os.environ.pop(HEART_VARIABLE, ""):
        return Pulse()
    os.set_inheritable(HEART_FILE, False)  # noqa: FBT003 - it takes no names
    os.set_blocking(HEART_FILE, False)
    # By the signal that the supervisor sends first, and without Python's help: it is not running.
    faulthandler.register(SHOW, all_threads=True)
    return Pulse(HEART_FILE)
