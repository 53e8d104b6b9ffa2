"""What reading an answer in one dialect and writing it in another costs, for every pair: CPU time of this process.

Each figure is the median of rounds in which the pairs take turns. On the diagonal the answer is only read, as it is for
the record of one that is relayed. The request's way (read, written, its answer read and written) is in the first column
beside. ``--json`` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from dragoman.core import EventStreamReader, SseReader
from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    BlockStopped,
    Choice,
    Delta,
    Event,
    Finished,
    Message,
    Metered,
    Request,
    Started,
    Text,
    Usage,
)
from dragoman.dialects.dialect import Asked, Frame, Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS

ROUNDS = 15
EVENTS = 64
WORDS = "the quick brown fox jumps over the lazy dog and then "
USAGE = Usage(input=120, output=200, cached=20)
REQUEST = Request(
    dialect="",
    model="m",
    messages=(
        Message(role="system", blocks=(Text(text=WORDS * 4),), top=True),
        *(Message(role=("user", "assistant")[turn % 2], blocks=(Text(text=WORDS * 2),)) for turn in range(5)),  # type: ignore[arg-type]
    ),
    max_tokens=512,
    temperature=0.5,
    stream=True,
    include_usage=True,
)
ANSWER = Answer(
    dialect="",
    id="a1",
    model="m",
    choices=(Choice(blocks=(Text(text=WORDS * 16),), stop="stop"),),
    usage=USAGE,
)
TARGET = Target(model="m")


def events() -> list[Event]:
    """A stream of 64 pieces of text."""
    pieces: list[Event] = [Delta(index=0, text=WORDS[at % 40 : at % 40 + 5]) for at in range(EVENTS)]
    begun: list[Event] = [Started(dialect="", id="a1", model="m"), BlockStarted(index=0, block=Text(text=""))]
    return [*begun, *pieces, BlockStopped(index=0), Finished(stop="stop"), Metered(usage=USAGE)]


def frames_of(data: bytes, framing: str) -> list[Frame]:
    """The frames of a stream."""
    if framing == "eventstream":
        return EventStreamReader(1 << 20).feed(data)
    if framing == "ndjson":
        return [("", line) for line in data.splitlines()]
    reader = SseReader(1 << 20)
    return [(frame.event or "", bytes(frame.data)) for frame in reader.feed(data)]


class Sample:
    """One dialect's request, answer and stream."""

    def __init__(self, name: str) -> None:
        self.dialect = DIALECTS[name]
        self.request_body = self.dialect.write_request(REQUEST, TARGET, Losses()).body
        self.request = self.dialect.read_request(self.request_body, Path(model="m", stream=True))
        self.asked = Asked(request=self.request, request_id="req_1", created_s=1)
        self.answer = self.dialect.write_answer(ANSWER, self.asked)
        writer = self.dialect.writer(self.asked)
        self.frames = frames_of(writer.write(events()) + writer.finish(), self.dialect.framing)


def whole(provider: Sample, client: Sample) -> Callable[[], object]:
    """Read a whole answer, and write it where that is another dialect."""
    if provider is client:
        return lambda: provider.dialect.read_answer(provider.answer, TARGET)
    return lambda: client.dialect.write_answer(provider.dialect.read_answer(provider.answer, TARGET), client.asked)


def request(provider: Sample, client: Sample) -> Callable[[], object]:
    """Read a request, and write it where that is for another dialect."""
    if provider is client:
        return lambda: client.dialect.read_request(client.request_body, Path(model="m"))
    return lambda: provider.dialect.write_request(
        client.dialect.read_request(client.request_body, Path(model="m")), TARGET, Losses()
    )


def stream(provider: Sample, client: Sample) -> Callable[[], object]:
    """Read a stream event by event, each a batch of its own, and write it where that is another dialect."""

    def run() -> None:
        reader = provider.dialect.reader(TARGET)
        writer = None if provider is client else client.dialect.writer(client.asked)
        for frame in provider.frames:
            found = reader.read([frame])
            if writer is not None and found:
                writer.write(found)
        found = reader.finish()
        if writer is not None:
            writer.write(found)
            writer.finish()

    return run


def cost_us(run: Callable[[], object], times: int) -> float:
    """CPU time of one call."""
    begun = time.process_time_ns()
    for _ in range(times):
        run()
    return (time.process_time_ns() - begun) / times / 1000


def measure(rounds: int) -> list[dict[str, Any]]:
    """One row a client."""
    samples = {name: Sample(name) for name in DIALECTS}
    kinds = (("request", request, 200), ("whole", whole, 200), ("stream", stream, 20))
    runs = {
        (kind, client, provider): (make(samples[provider], samples[client]), times)
        for kind, make, times in kinds
        for client in DIALECTS
        for provider in DIALECTS
    }
    found: dict[tuple[str, str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, (run, times) in runs.items():
            found[key].append(cost_us(run, times))
    return [
        {"what, us": WHAT[kind], "client": client}
        | {provider: round(median(found[kind, client, provider]), 1) for provider in DIALECTS}
        for kind, _, _ in kinds
        for client in DIALECTS
    ]


WHAT = {
    "request": "a request of 6 messages",
    "whole": "a whole answer of 850 bytes of text",
    "stream": f"a stream of {EVENTS} events, one by one",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    rows = measure(chosen.rounds)
    if chosen.json:
        json.dump(rows, sys.stdout)
        return
    for row in rows:
        sys.stdout.write("  ".join(f"{value!s:>18}" for value in row.values()) + "\n")


if __name__ == "__main__":
    main()
