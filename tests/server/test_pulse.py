from __future__ import annotations

import asyncio
import contextlib
import os
import time

import pytest
from tests.served import Served

from dragoman.server import pulse as module
from dragoman.server.pulse import Pulse, own_pulse


def test_it_is_heard_while_the_loop_goes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.01)
    heard, pipe = os.pipe()
    pulse = Pulse(pipe)

    async def lives() -> None:
        beating = asyncio.create_task(pulse.beat())
        while len(beats) < 5:
            await asyncio.sleep(0.01)
            beats.extend(os.read(heard, 100))
        assert pulse.is_steady
        beating.cancel()
        pulse.end()
        assert os.read(heard, 100) in {b"", b"."}

    beats: list[int] = []
    asyncio.run(lives())
    assert os.read(heard, 100) == b""
    os.close(heard)


def test_nobody_waits_before_it_begins_and_after_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now_s[0])
    pulse = Pulse()
    now_s[0] += 100
    assert (pulse.silent_s, pulse.is_steady) == (0, True)

    async def begins() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pulse.beat(), 0.01)

    asyncio.run(begins())
    now_s[0] += module.NOT_READY_AFTER_S
    assert (pulse.silent_s, pulse.is_steady) == (module.NOT_READY_AFTER_S, False)
    pulse.end()
    assert pulse.is_steady


def test_a_pipe_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.0)
    heard, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(65536))
    pulse = Pulse(pipe)

    async def lives() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pulse.beat(), 0.05)
        os.close(heard)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pulse.beat(), 0.05)

    asyncio.run(lives())
    assert pulse.is_steady
    pulse.end()


def test_without_a_supervisor_nobody_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module.HEART_VARIABLE, raising=False)
    pulse = own_pulse()
    pulse.end()
    pulse.end()


def test_p14_who_stands_still_is_not_ready_and_in_the_end_not_alive(served: Served) -> None:
    pulse = served.gateway.seat.pulse
    assert served.get("/readyz").status == 200
    pulse._beats = True
    pulse._beaten_s = time.monotonic() - 3
    assert (served.get("/readyz").status, served.get("/readyz").json["status"]) == (503, "hanging")
    assert served.get("/healthz").status == 200
    pulse._beaten_s -= served.gateway.snapshot.config.server.silent_s
    assert (served.get("/healthz").status, served.get("/healthz").json["status"]) == (503, "hanging")
