"""Hostile inputs for every reader of every wire format: recorded bodies, spoilt at random.

``python -m tests.dialects.fuzz --inputs 1000000`` gives each reader that many, and prints what it made of them. An
input must be read, or refused by name; what was read is now and then written in another dialect. The seed makes a run
again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path as File
from random import Random
from typing import Any

import msgspec
from tests.dialects.recorded import Call, frames_of
from tests.dialects.tasks.samples import EMBED, RERANK
from tests.dialects.test_recorded import calls

from dragoman.dialects.canonical import Request
from dragoman.dialects.dialect import Asked, Dialect, Frame, Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.tasks.table import TASKS
from dragoman.errors import Untranslatable

TARGET = Target(model="m", provider="p")
LARGEST = 8_192  # of a seed: what is wrong with a long one is wrong with a short one
FRAMES = 8  # of a stream, from its beginning and from anywhere
WRITTEN = 0.5  # of what was read
STRANGE = ("", "x", "\ud7ff", "null", "text", "tool_use", "2147483648", "data:image/png;base64,AA==", "a" * 300)
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 1e308, 0.1)
SAMPLES = {
    **EMBED,
    **RERANK,
    "bedrock_embed": ("", {"inputText": "hello", "dimensions": 3}, {"embedding": [0.5], "inputTextTokenCount": 2}),
}
decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

# One input, already spoilt, of what came before: raises what the reader raises.
Try = Callable[[Random], None]


class Spoiler:
    """Changes seeds at random; a piece of one may turn up in another."""

    def __init__(self, random: Random, seeds: list[Any]) -> None:
        self.random = random
        self.encoded = [text for seed in seeds if len(text := encode(seed)) <= LARGEST]
        self.pieces: list[Any] = []
        for text in self.encoded[:200]:
            self.pieces += _pieces(decode(text))
        self.names = sorted({name for piece in self.pieces if isinstance(piece, dict) for name in piece}) or ["x"]

    def bytes(self) -> bytes:
        """One of the seeds, spoilt."""
        return self.spoilt(self.random.choice(self.encoded))

    def spoilt(self, text: bytes) -> bytes:
        """It with one to three changes in its structure; one in ten, in its bytes."""
        if self.random.random() < 0.1:
            return self._torn(text)
        body = decode(text)
        for _ in range(self.random.randint(1, 3)):
            body = self._changed(body)
        return encode(body)

    def _torn(self, text: bytes) -> bytes:
        torn = bytearray(text)
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randrange(len(torn) + 1)
            match self.random.randrange(3):
                case 0:
                    torn[at : at + 1] = self.random.randbytes(1)
                case 1:
                    torn[at:at] = self.random.choice((b"{", b"]", b'"', b"\\u", b"\xff", b"1e999", b"\x00", b"\\ud800"))
                case _:
                    del torn[at : at + self.random.randint(1, 20)]
        return bytes(torn)

    def _changed(self, body: Any) -> Any:
        holder, key, depth = None, None, self.random.randint(1, 9)
        node = body
        for _ in range(depth):
            if not isinstance(node, dict | list) or not node:
                break
            holder, key = node, self._key(node)
            node = node[key]
        if holder is None:
            return self._value()
        match self.random.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[self.random.choice(self.names)] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.insert(self.random.randrange(len(holder) + 1), holder[key])
            case 3 if isinstance(holder, dict):
                holder[self.random.choice(self.names)] = self._value()
            case _:
                holder[key] = self._value()
        return body

    def _key(self, node: Any) -> Any:
        return self.random.choice(list(node)) if isinstance(node, dict) else self.random.randrange(len(node))

    def _value(self) -> Any:
        match self.random.randrange(4):
            case 0 if self.pieces:
                return decode(encode(self.random.choice(self.pieces)))
            case 1:
                return self.random.choice(STRANGE)
            case 2:
                return self.random.choice(NUMBERS)
            case _:
                return self.random.choice((None, True, False, [], {}, [None], [{}], {"type": 1}, [[[]]]))


def _pieces(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _pieces(item)


def requests(dialect: Dialect, tried: list[Call], random: Random) -> Try:
    """Clients' requests."""
    spoiler = Spoiler(random, [call.body for call in tried])
    paths = list({(at.model, at.action): at for at in (call.at for call in tried)}.values()) or [Path()]

    def once(random: Random) -> None:
        request = dialect.read_request(spoiler.bytes(), random.choice(paths))
        if random.random() < WRITTEN:
            random.choice(list(DIALECTS.values())).write_request(request, TARGET, Losses())

    return once


def answers(dialect: Dialect, tried: list[Call], random: Random) -> Try:
    """Providers' whole answers."""
    spoiler = Spoiler(random, [json.loads(call.answer) for call in tried if whole(call)])

    def once(random: Random) -> None:
        answer = dialect.read_answer(spoiler.bytes(), TARGET)
        if random.random() < WRITTEN:
            other = random.choice(list(DIALECTS.values()))
            other.write_answer(answer, _asked(other))

    return once


def whole(call: Call) -> bool:
    """Whether one JSON object was answered."""
    return call.status == 200 and not call.is_stream and call.answer.startswith(b"{")


def streams(dialect: Dialect, tried: list[Call], random: Random) -> Try:
    """Providers' streams, of which an event or two are spoilt, lost or told twice."""
    told = [
        frames_of(call.answer, call.content_type)
        for call in tried
        if call.status == 200 and call.is_stream and len(call.answer) < 50 * LARGEST
    ]
    told = [[frame for frame in frames if len(frame[1]) <= LARGEST] for frames in told]
    told = [frames for frames in told if frames] or [[("", encode({}))]]
    spoiler = Spoiler(random, [decode(data) for frames in told for _, data in frames[:6] if data.startswith(b"{")])

    def once(random: Random) -> None:
        reader = dialect.reader(TARGET)
        events = reader.read(_some(random.choice(told), spoiler)) + reader.finish()
        if random.random() < WRITTEN:
            other = random.choice(list(DIALECTS.values()))
            writer = other.writer(_asked(other))
            writer.write(events)
            writer.finish()

    return once


def _some(frames: list[Frame], spoiler: Spoiler) -> list[Frame]:
    random = spoiler.random
    middle = random.randrange(len(frames))
    some = [*frames[: FRAMES // 2], *frames[middle : middle + FRAMES // 2], frames[-1]]
    for at in {random.randrange(len(some) - 1), random.randrange(len(some))}:
        name, data = some[at]
        match random.randrange(6):
            case 0:
                some[at] = random.choice(frames)
            case 1:
                some[at] = some[random.randrange(len(some))]
            case 2:
                some[at] = (random.choice(frames)[0], spoiler.bytes())
            case _ if data.startswith(b"{"):
                some[at] = (name, spoiler.spoilt(data))
    return some


def _asked(dialect: Dialect) -> Asked:
    request = Request(dialect=dialect.name, model="m", messages=())
    return Asked(request=request, request_id="r", created_s=1)


def errors(dialect: Dialect, tried: list[Call], random: Random) -> Try:
    """Providers' errors, told to clients: these are never refused."""
    seeds = [json.loads(call.answer) for call in tried if call.status >= 400 and call.answer.startswith(b"{")]
    spoiler = Spoiler(random, seeds or [{"error": {"message": "m", "type": "t", "code": 400}}])

    def once(random: Random) -> None:
        try:
            report = dialect.read_error(random.randrange(400, 600), {}, spoiler.bytes())
        except Unreadable as error:
            raise AssertionError from error
        status, _, _ = random.choice(list(DIALECTS.values())).write_error(report, "r")
        assert 400 <= status < 600, status

    return once


def tasks(name: str, random: Random) -> tuple[Try, Try]:
    """Requests for vectors or an order, and their answers."""
    task = TASKS[name]
    _, body, answer = SAMPLES[name]
    asked, told = Spoiler(random, [body]), Spoiler(random, [answer])
    request = task.read_request(encode(body), Path(model="m", action="batchEmbedContents"))

    def ask(random: Random) -> None:
        action = random.choice(("", "embedContent", "batchEmbedContents", "predict"))
        read = task.read_request(asked.bytes(), Path(model="m", action=action))
        if random.random() < WRITTEN:
            task.write_request(read, TARGET, Losses())

    def tell(_: Random) -> None:
        task.read_answer(told.bytes(), request, TARGET)

    return ask, tell


def readers(recorded: File, random: Random) -> Iterator[tuple[str, Try]]:
    """Every reader there is, by name."""
    for name, dialect in DIALECTS.items():
        tried = calls(recorded, dialect)
        for kind in (requests, answers, streams, errors):
            yield f"{name} {kind.__name__}", kind(dialect, tried, random)
    for name in TASKS:
        ask, tell = tasks(name, random)
        yield f"{name} requests", ask
        yield f"{name} answers", tell


class Broken(Exception):
    """A reader raised what it must not."""


def run(once: Try, inputs: int, random: Random) -> tuple[int, int]:
    """Gives a reader so many inputs.

    :return: how many were read, and how many refused.

    Raises:
        Broken: neither was done.
    """
    refused = 0
    for _ in range(inputs):
        try:
            once(random)
        except (Unreadable, Untranslatable) as error:
            assert error.message
            refused += 1
        except Exception as error:
            raise Broken(traceback.format_exc(limit=-4)) from error
    return inputs - refused, refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="for each reader (default: 10000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name has this in it")
    parser.add_argument("--recorded", type=File, default=os.environ.get("DRAGOMAN_RECORDED", "../shared/recorded"))
    asked = parser.parse_args()
    broken = 0
    for name, once in readers(File(asked.recorded), Random(asked.seed)):
        if asked.only not in name:
            continue
        begun = time.process_time()
        try:
            read, refused = run(once, asked.inputs, Random(asked.seed))
        except Broken as error:
            broken += 1
            print(f"{name}: BROKEN\n{error.args[0]}", flush=True)
            continue
        print(f"{name}: {read} read, {refused} refused in {time.process_time() - begun:.0f} s", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
