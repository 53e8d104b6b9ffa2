"""Whatever becomes of requests, nothing stays held, and the ledger is the sum of the usage rows to the nano-dollar."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    Step,
    Upstream,
    answer,
    chunk,
    expect,
    finish,
    head,
    hold,
    pause,
    reset,
    send,
    stream,
    stream_head,
)
from tests.served import Serve, Served
from tests.store.valkey import new_prefix

from dragoman.usage.row import Cells, row_of

pytestmark = pytest.mark.fronted

SCRIPTS = 100
# Under these alone requests go the express way once one has been answered.
PLAIN_LIMITS = {
    "money": {"cost_usd": 1000, "per": "ever"},
    "tokens": {"tokens": 10**9, "per": "day"},
    "at-once": {"concurrent": 50},
}
LIMITS = PLAIN_LIMITS | {
    "users": {"of": ["end_user"], "cost_usd": 100, "per": "month"},
    "shadow": {"of": ["key", "alias"], "requests": 3, "per": "minute", "mode": "shadow"},
}
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
FAULTS: tuple[tuple[Step, ...], ...] = (
    (answer(),),
    (stream(),),
    (answer(b'{"error": {"message": "bad"}}', status=400),),
    (answer(b"busy", status=503, retry_after="0"),),
    (answer(b'{"error": {"message": "slow down"}}', status=429),),
    (answer(b"not json"),),
    (reset,),
    (finish,),
    (send(b"HTTP/1.1 200"), finish),
    (send(head()), pause(0.01), reset),
    (send(stream_head()), send(chunk(PIECE)), reset),
    (send(stream_head()), send(chunk(PIECE)), send(chunk(b"data: {garbage\n\n")), finish),
    (send(stream_head()), send(chunk(PIECE)), hold),
    (hold,),
)


def faulty(serve: Serve, upstream: Upstream, chance: random.Random, fields: dict[str, Any]) -> Served:
    for _ in range(60):
        upstream.reply(expect, *chance.choice(FAULTS))
    upstream.reply(expect, answer())
    return priced(serve, upstream, fields)


def priced(serve: Serve, upstream: Upstream, fields: dict[str, Any]) -> Served:
    timeouts = {"connect_s": 1, "first_byte_s": 0.3, "idle_s": 0.3, "total_s": 1}
    config = config_for(upstream.base_url, upstream.base_url, defaults={"retries": 2, "timeouts": timeouts}, **fields)
    for name in ("up0", "up1"):
        config["deployments"][name]["price"] = {"input_usd_mtok": 1.37, "output_usd_mtok": 10.003}
    return serve(config)


def one(served: Served, chance: random.Random) -> None:
    """A request of any kind, whose client may leave."""
    body: dict[str, Any] = {
        "model": "chat",
        "messages": [{"role": "user", "content": "Hello " * chance.randrange(1, 9)}],
    }
    body |= {"stream": True} if chance.random() < 0.5 else {}
    body |= {"max_tokens": chance.randrange(1, 50)} if chance.random() < 0.7 else {}
    body |= {"user": chance.choice(["eve", "bob"])} if chance.random() < 0.5 else {}
    request = served.begin("POST", "/v1/chat/completions", json.dumps(body).encode())
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 0.05))
        if not request.ended.is_set():
            request.leave()
    request.wait()


@pytest.fixture(params=["here", "redis"])
def shared(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where limits are counted: in the process, and in Redis."""
    if request.param == "here":
        return {}
    return {"redis": {"url": request.getfixturevalue("valkey"), "prefix": new_prefix(), "timeout_s": 1}}


def note_rows(served: Served, rows: list[Any]) -> None:
    put = served.gateway.writer.put_all

    def note(some: list[Cells]) -> None:
        rows.extend(map(row_of, some))
        put(some)

    served.gateway.writer.put_all = note  # type: ignore[method-assign]


def ask_at_once(served: Served, chance: random.Random) -> int:
    """How many requests there were, all at the same time."""
    seeds = [chance.random() for _ in range(SCRIPTS // 4)]
    workers = [threading.Thread(target=one, args=(served, random.Random(number))) for number in seeds]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    served.gateway.express.settle()
    return len(seeds)


def check(served: Served, rows: list[Any]) -> dict[tuple[str, str], int]:
    """What is spent of each limit, of which nothing is held and which is the sum of the rows."""
    book = served.gateway.book
    spent = {(book.rule(each.rule).name, each.who): each.spent for each in book.ledger.standings()}
    assert book.ledger.held == 0
    assert spent["money", ""] == sum(row.cost_nanousd or 0 for row in rows)
    assert spent["tokens", ""] == sum(row.input_tokens + row.output_tokens for row in rows)
    assert spent["at-once", ""] == 0
    return spent


@pytest.mark.parametrize("seed", range(4))
def test_random_faults(
    serve: Serve, upstream: Upstream, shared: dict[str, Any], seed: int, say: Callable[[str], None]
) -> None:
    chance, rows = random.Random(seed), list[Any]()
    served = faulty(serve, upstream, chance, shared | {"limits": LIMITS})
    note_rows(served, rows)
    count = ask_at_once(served, chance)
    assert len(rows) == count
    spent = check(served, rows)
    of_users = sum(amount for (name, _), amount in spent.items() if name == "users")
    assert of_users == sum(row.cost_nanousd or 0 for row in rows if row.end_user)
    statuses = sorted({row.status for row in rows})
    where = "in Redis" if shared else "in the process"
    came_to = f"held 0, spent {spent['money', '']} nano-dollars"
    say(f"counted {where}, seed {seed}: {len(rows)} requests ended with {statuses}; {came_to}")


@pytest.mark.parametrize("seed", range(4))
def test_random_faults_on_the_express_way(
    serve: Serve, upstream: Upstream, seed: int, say: Callable[[str], None]
) -> None:
    chance, rows = random.Random(seed), list[Any]()
    served = priced(serve, upstream, {"limits": PLAIN_LIMITS})
    note_rows(served, rows)
    upstream.reply(expect, answer())
    assert served.chat(max_tokens=1).status == 200
    for _ in range(60):
        upstream.reply(expect, *chance.choice(FAULTS + 8 * FAULTS[:2]))
    upstream.reply(expect, answer())
    count = ask_at_once(served, chance) + 1
    assert len(rows) == count
    assert served.gateway.express.core.knows((bytes(32), ""), "chat")
    spent, went = check(served, rows), served.gateway.express.served
    assert went > 0
    say(f"seed {seed}: {went} of {count} requests ended on the express way; held 0, spent {spent['money', '']}")
