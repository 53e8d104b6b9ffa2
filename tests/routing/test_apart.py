from __future__ import annotations

import threading
from typing import Any

from tests.cache.test_semantic import LAMP, SAME, ask, config, wait_until, watch_of
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, stream
from tests.served import Serve, Served

from dragoman.routing.apart import Nobody
from dragoman.usage.row import UsageRow


def rows_of(served: Served) -> list[UsageRow]:
    """The rows of requests that were made by the gateway itself."""
    seen: list[UsageRow] = []
    put = served.gateway.writer.put

    def note(row: UsageRow) -> None:
        seen.append(row)
        put(row)

    served.gateway.writer.put = note  # type: ignore[method-assign]
    return seen


def test_nobody_takes_everything() -> None:
    nobody = Nobody()
    nobody.response_bytes(200, [], b"")
    assert list(nobody.response_stream(200, []).send_bytes(b"x").__await__()) == []


def test_it_is_recorded_and_paid_for_like_any_other(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, check_share=1.0))
    seen = rows_of(served)
    ask(served, LAMP)
    ask(served, SAME)
    wait_until(lambda: watch_of(served).checked == 1)
    assert [row.cache for row in seen] == ["miss", "semantic", "check"]
    assert (seen[2].cost_nanousd, seen[2].usage_source, seen[2].attempts) == (seen[0].cost_nanousd, "provider", 1)
    assert seen[2].request_id not in {seen[0].request_id, seen[1].request_id}
    assert upstream.received(2)[1].json["messages"][0]["content"] == SAME


def test_a_stream_is_read_to_its_end(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    served = serve(config(upstream, check_share=1.0))
    ask(served, LAMP, stream=True)
    ask(served, SAME, stream=True)
    wait_until(lambda: watch_of(served).checked == 1)
    assert watch_of(served).wrong == 0


def test_where_the_provider_fails_nothing_is_learnt(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("Unscrew it.")))
    failed: Any = threading.Event()
    upstream.reply(expect, answer(b"{}", 500), lambda _: failed.set())
    made = config(upstream, check_share=1.0)
    made["defaults"] = {"retries": 0}
    served = serve(made)
    seen = rows_of(served)
    ask(served, LAMP)
    ask(served, SAME)
    wait_until(lambda: len(seen) == 3)
    assert (seen[2].status, watch_of(served).checked) == (502, 0)
