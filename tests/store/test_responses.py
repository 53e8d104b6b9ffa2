from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

from dragoman.store import responses as module
from dragoman.store.migrate import ensure_current
from dragoman.store.responses import DAY_MS, Responses
from dragoman.store.sqlite import sqlite_engine

ITEMS: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": "Hi"}]
ANSWER: dict[str, Any] = {"id": "resp_req_1", "output": [{"type": "message", "content": []}]}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = sqlite_engine(make_url(f"sqlite:///{tmp_path}/t.db"), durable=False)
    ensure_current(made)
    return made


def test_what_was_put_is_found_at_once_and_after_a_restart(engine: Engine) -> None:
    first = Responses(engine, 30)
    first.put("shop", ITEMS, ANSWER)
    kept = first.find("shop", "resp_req_1")
    assert kept is not None
    assert kept.items() == [*ITEMS, *ANSWER["output"]]
    first.close()
    again = Responses(engine, 30).find("shop", "resp_req_1")
    assert again == kept


def test_others_do_not_find_it(engine: Engine) -> None:
    kept = Responses(engine, 30)
    kept.put("shop", ITEMS, ANSWER)
    kept.close()
    assert kept.find("other", "resp_req_1") is None
    assert not Responses(engine, 30).delete("other", "resp_req_1")
    assert Responses(engine, 30).find("shop", "resp_req_1") is not None


def test_what_is_deleted_is_gone(engine: Engine) -> None:
    kept = Responses(engine, 30)
    kept.put("shop", ITEMS, ANSWER)
    assert kept.delete("shop", "resp_req_1")
    assert kept.find("shop", "resp_req_1") is None
    assert not kept.delete("shop", "resp_req_1")


def test_what_is_old_is_not_found_and_is_deleted_with_time(engine: Engine) -> None:
    now = [1_000_000.0]
    kept = Responses(engine, 2, wall_s=lambda: now[0])
    kept.put("shop", ITEMS, ANSWER)
    now[0] += 2 * DAY_MS / 1000 + 1
    kept.put("shop", ITEMS, ANSWER | {"id": "resp_req_2"})
    kept.close()
    assert Responses(engine, 2, wall_s=lambda: now[0]).find("shop", "resp_req_1") is None
    assert Responses(engine, 2, wall_s=lambda: 0.0).find("shop", "resp_req_1") is None
    assert Responses(engine, 2, wall_s=lambda: now[0]).find("shop", "resp_req_2") is not None


def test_none_is_kept_where_that_is_not_wanted(engine: Engine) -> None:
    kept = Responses(engine, 0)
    kept.put("shop", ITEMS, ANSWER)
    assert not kept.keeps_any
    assert kept.find("shop", "resp_req_1") is None


def test_memory_is_bounded_and_the_database_is_not(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECENT_BYTES", 2 * len(str(ANSWER)))
    kept = Responses(engine, 30)
    for number in range(20):
        kept.put("shop", ITEMS, ANSWER | {"id": f"resp_req_{number}"})
    kept.close()
    assert kept.find("shop", "resp_req_0") is not None


def test_an_answer_without_an_id_is_not_kept(engine: Engine) -> None:
    kept = Responses(engine, 30)
    kept.put("shop", ITEMS, {"output": []})
    kept.put("shop", ITEMS, {"id": "x" * 65, "output": []})
    assert kept.find("shop", "") is None
