"""What one call into the Rust core costs from Python: the steps that every request takes, one by one.

Each figure is the best of several rounds, in microseconds a call. Beside it, where there is one, stands what the same
bytes cost the usual Python way, and both are checked to have read the same.
"""

from __future__ import annotations

import argparse
import hmac
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from dragoman.core import AuditSalt, Balancer, RequestBody, SseReader, TokenCounter, read_answer
from dragoman.usage.batch import batch_of
from dragoman.usage.row import UsageRow

ROUNDS, ROUND_S = 7, 0.05
WORDS = "A caravan reached the gate at dusk, and the interpreter asked each merchant what he carried and for whom. "


def chat(body_bytes: int, number: int = 0, beginning: str = "") -> bytes:
    """Build a chat request of about so many bytes whose last message has a number."""
    history = beginning + (WORDS * (body_bytes // len(WORDS) + 1))[: max(body_bytes - 400, 0)]
    messages = [
        {"role": "user", "content": history},
        {"role": "assistant", "content": "Understood."},
        {"role": "user", "content": f"No. {number}: " + WORDS * 2},
    ]
    return json.dumps({"model": "bench", "stream": True, "messages": messages}).encode()


def burst(events: int) -> bytes:
    """Build a stream of so many events."""
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    lines = []
    for number in range(events):
        choice = {"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": None}
        lines.append(f"data: {json.dumps({**event, 'choices': [choice]})}\n\n")
    return "".join(lines).encode()


def answer() -> bytes:
    """Build a whole answer."""
    message = {"role": "assistant", "content": WORDS * 3}
    usage = {"prompt_tokens": 187, "completion_tokens": 42, "total_tokens": 229}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": "x", "object": "chat.completion", "choices": choices, "usage": usage}).encode()


def call_us(call: Callable[[], object]) -> float:
    """Time one call: the best round's mean."""
    started = time.perf_counter()
    calls = 0
    while time.perf_counter() - started < ROUND_S / 5:
        call()
        calls += 1
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - started) / calls)
    return best * 1e6


def bodies() -> Iterator[tuple[str, Callable[[], object], str, Callable[[], object] | None]]:
    """Read and edit requests."""
    small, large = chat(934), chat(20480)
    for name, body in ((f"read a request of {len(small)} bytes", small), (f"read one of {len(large)} bytes", large)):
        assert RequestBody(body).model == msgspec.json.decode(body)["model"]
        yield name, lambda body=body: RequestBody(body), "msgspec", lambda body=body: msgspec.json.decode(body)  # type: ignore[misc]
    read = RequestBody(small)

    def rewrite_in_python() -> bytes:
        tree = msgspec.json.decode(small)
        tree["model"] = "other"
        tree["stream_options"] = {"include_usage": True}
        return msgspec.json.encode(tree)

    assert json.loads(read.rewrite(model="other", ask_usage=True)) == json.loads(rewrite_in_python())
    yield (
        "replace model, ask for usage",
        lambda: read.rewrite(model="other", ask_usage=True),
        "msgspec",
        rewrite_in_python,
    )


def answers() -> Iterator[tuple[str, Callable[[], object], str, Callable[[], object] | None]]:
    """Read answers and streams."""
    whole, stream = answer(), burst(64)
    assert read_answer(whole).usage is not None
    yield (
        f"usage of an answer of {len(whole)} bytes",
        lambda: read_answer(whole),
        "msgspec",
        lambda: msgspec.json.decode(whole),
    )
    assert len(SseReader(1 << 20).feed(stream)) == 64
    yield (
        "cut 64 events out of one read",
        lambda: SseReader(1 << 20).feed(stream),
        "bytes.split",
        lambda: stream.split(b"\n\n"),
    )


def choices() -> Iterator[tuple[str, Callable[[], object], str, Callable[[], object] | None]]:
    """Choose a deployment and settle."""
    balancer = Balancer()
    tier = balancer.tier([balancer.register(f"m{n}") for n in range(5)], [1.0] * 5, strategy="latency")

    def attempt() -> None:
        ticket = balancer.choose(tier)
        assert ticket is not None
        ticket.finish_success(100.0, 200.0, 40)

    yield "choose one of 5 deployments and settle", attempt, "", None


def counts() -> Iterator[tuple[str, Callable[[], object], str, Callable[[], object] | None]]:
    """Count the tokens of requests."""
    counter = TokenCounter.for_model("gpt-4o")
    fresh = itertools.cycle([chat(934, number, f"{number}: ") for number in range(40000)])
    grown = itertools.cycle([chat(20480, number) for number in range(2000)])
    count = counter.count_request
    yield "count a new request of 934 bytes", lambda: count(next(fresh), model="gpt-4o"), "", None
    yield "count 20 KB, all but the last message known", lambda: count(next(grown), model="gpt-4o"), "", None


def records() -> Iterator[tuple[str, Callable[[], object], str, Callable[[], object] | None]]:
    """Read what requests leave behind: rows of usage, and what stands for a prompt in the audit log."""
    rows = [
        UsageRow(
            request_id=f"req_{number:026}",
            started_at_ms=1_795_000_000_000 + number,
            snapshot=1,
            endpoint="chat",
            status=200,
            key_id=f"key_{number % 4}",
            team="bench",
            model="m",
            input_tokens=200,
            output_tokens=100 + number % 50,
            cost_nanousd=1_500_000,
            total_ms=1.0 + number % 7,
        )
        for number in range(500)
    ]
    whole = batch_of(rows)
    assert sum(int(whole.cell([group], None)[0]) for group in range(len(whole.groups))) == len(rows)
    yield "read 500 usage rows for table and rollups", lambda: batch_of(rows), "", None
    salt, prompt = bytes(range(32)), chat(934)
    digest = AuditSalt(salt).digest
    assert digest(b"prompt", prompt) == hmac.digest(salt, b"prompt\0" + prompt, "sha256").hex()[:32]
    yield (
        f"hash a prompt of {len(prompt)} bytes under a key",
        lambda: digest(b"prompt", prompt),
        "hmac",
        lambda: hmac.digest(salt, b"prompt\0" + prompt, "sha256").hex(),
    )


def main() -> int:
    """Time every call and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    found = []
    for name, call, beside, peer in itertools.chain(bodies(), answers(), choices(), counts(), records()):
        row = {"call": name, "us": round(call_us(call), 2), "beside": beside}
        found.append({**row, "beside_us": None if peer is None else round(call_us(peer), 2)})
    if asked.json:
        print(json.dumps(found))
    else:
        for row in found:
            print(f"{row['call']:<48}{row['us']:>8} us   {row['beside']} {row['beside_us'] or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
