"""What is kept is kept in PostgreSQL as well: the same things, done to a real server."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve
from tests.store import postgres
from tests.usage import traffic

from dragoman.access.principal import ANONYMOUS
from dragoman.access.stored import create_key, list_keys, load_keys, revoke_key, rotate_key, save_last_used, switch_key
from dragoman.audit.content import Contents
from dragoman.audit.subjects import Subjects
from dragoman.config.limiting import Limit
from dragoman.config.prompting import Turn, Version
from dragoman.config.schema import Key
from dragoman.config.schema import Store as Settings
from dragoman.core import Hold, Ledger
from dragoman.errors import DatabaseAway, StoreError
from dragoman.ledger.book import Asker, Book
from dragoman.ledger.figures import Figures
from dragoman.store import driver
from dragoman.store.engine import Store, open_store
from dragoman.store.limits import list_figures, list_limits, remove_limit, set_limit
from dragoman.store.meta import read_meta
from dragoman.store.migrate import run_migrations
from dragoman.store.prompts import add_prompt, list_prompts, remove_prompt
from dragoman.store.tables import REVISION, usage
from dragoman.store.transfer import copy_database
from dragoman.usage.batch import batch_of
from dragoman.usage.insert import RowInsert
from dragoman.usage.report import Question, report_usage
from dragoman.usage.rollup import DAY_MS, forget_end_user, prune, prune_minutes
from dragoman.usage.row import UsageRow
from dragoman.usage.write import UsageWriter, find_row

PEPPER = bytes(range(32))


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Settings(url=url, data_dir=str(tmp_path)), {}, role="server")
    yield opened
    opened.close()


def test_migrations_end_at_the_same_columns(store: Store, server: URL, tmp_path: Path) -> None:
    def columns(of: Store) -> dict[str, set[tuple[str, bool]]]:
        found = inspect(of.engine)
        return {
            table: {(one["name"], one["nullable"]) for one in found.get_columns(table)}
            for table in found.get_table_names()
        }

    with postgres.database(server) as other:
        from sqlalchemy import create_engine

        engine = create_engine(other)
        with engine.begin() as connection:
            run_migrations(connection, None, REVISION)
        engine.dispose()
        migrated = open_store(Settings(url=other, data_dir=str(tmp_path)), {}, role="server")
        assert columns(migrated) == columns(store)
        migrated.close()


def test_one_server_a_database(store: Store, url: str, tmp_path: Path) -> None:
    settings = Settings(url=url, data_dir=str(tmp_path))
    with pytest.raises(StoreError, match="another server uses this database"):
        open_store(settings, {}, role="server")
    open_store(settings, {}, role="visitor").close()
    store.close()
    open_store(settings, {}, role="server").close()


def test_s10_a_database_that_takes_no_writes_is_none(url: str, tmp_path: Path) -> None:
    name = url.rpartition("/")[2].partition("?")[0]
    settings = Settings(url=url, data_dir=str(tmp_path))
    with (opened := open_store(settings, {}, role="visitor")).engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    opened.close()
    with pytest.raises(DatabaseAway, match="read-only"):
        open_store(settings, {}, role="server")
    whoever = f"{url}{'&' if '?' in url else '?'}target_session_attrs=any"
    open_store(Settings(url=whoever, data_dir=str(tmp_path)), {}, role="visitor").close()


def test_servers_that_count_together_share_a_database(store: Store, url: str, tmp_path: Path) -> None:
    settings = Settings(url=url, data_dir=str(tmp_path))
    with pytest.raises(StoreError, match=r"redis\.url"):
        open_store(settings, {}, role="sharer")
    store.close()
    first, second = (open_store(settings, {}, role="sharer") for _ in range(2))
    assert (first.others(), second.others()) == (1, 1)
    with pytest.raises(StoreError, match="another server"):
        open_store(settings, {}, role="server")
    first.close()
    until_s = time.monotonic() + 30
    while second.others() and time.monotonic() < until_s:  # the server takes a while to see that a client is gone
        time.sleep(0.01)
    assert second.others() == 0
    second.close()


@pytest.mark.parametrize(("processes", "most"), [(1, 15), (4, 15), (16, 5), (64, 4)])
def test_the_processes_of_a_node_share_its_connections(url: str, tmp_path: Path, processes: int, most: int) -> None:
    store = open_store(Settings(url=url, data_dir=str(tmp_path)), {}, role="sharer", processes=processes)
    with contextlib.ExitStack() as stack:
        for _ in range(most - 1):  # one is the server's claim
            stack.enter_context(store.engine.connect())
        pool: Any = store.engine.pool
        pool._timeout = 0.01
        with pytest.raises(PoolTimeout):
            store.engine.connect()
    store.close()


def test_servers_may_start_at_once(url: str, tmp_path: Path) -> None:
    settings = Settings(url=url, data_dir=str(tmp_path))
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: open_store(settings, {}, role="sharer"), range(4)))
    assert [one.others() for one in opened] == [3] * 4
    for one in opened:
        one.close()


def test_keys(store: Store) -> None:
    engine = store.engine
    created = create_key(engine, PEPPER, Key(name="k", budget_usd=5, ip_ranges=("10.0.0.0/8",)), now_ms=1)
    with pytest.raises(StoreError, match="already"):
        create_key(engine, PEPPER, Key(name="k"), now_ms=1)
    rotated = rotate_key(engine, PEPPER, "k", overlap_ms=10, now_ms=1)
    assert rotated is not None
    assert len(load_keys(engine, PEPPER).principals) == 2
    save_last_used(engine, [created.key.id], now_ms=7)
    assert switch_key(engine, "k", disabled_at_ms=1) is not None
    assert load_keys(engine, PEPPER).principals == {}
    assert [key.last_used_at_ms for key in list_keys(engine)] == [7]
    assert revoke_key(engine, "k", now_ms=9) is not None
    create_key(engine, PEPPER, Key(name="k"), now_ms=10)


def test_usage(store: Store, tmp_path: Path) -> None:
    writer = UsageWriter(store.engine, tmp_path, Settings())
    writer.start()
    for number in range(1000):
        row = UsageRow(
            request_id=f"req_{number}",
            started_at_ms=1_000,
            snapshot=1,
            endpoint="chat",
            status=200,
            end_user="nul\0 and \ud800" if number == 7 else "eve",
            cost_nanousd=number,
            input_tokens=1,
        )
        writer.put(row)
    assert writer.close()
    report = report_usage(store.engine, Question(by=("endpoint",)))
    assert (report.whole.requests, report.whole.cost_nanousd) == (1000, 499_500)
    found = find_row(store.engine, "req_9")
    assert found is not None
    assert found.cost_nanousd == 9


def test_rows_are_stored_as_they_are_by_copy_too(store: Store) -> None:
    chance = random.Random(5)
    texts = ["\\.", "\\N", "tab\t, line\n and\r\\", "'; DROP TABLE usage; --", "%s", '"', "😀\u2028", "a" * 100_000]
    rows = traffic.rows(chance, 300) + [traffic.with_names(traffic.rows(chance, 1)[0], metadata=text) for text in texts]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
        RowInsert(store.engine.dialect)(connection, batch_of([]))
    assert traffic.stored_rows(store.engine) == rows


def test_what_copy_refuses_is_told_as_of_any_statement(store: Store) -> None:
    copy = "COPY meta (name, value) FROM STDIN"
    refused: list[tuple[list[tuple[object, ...]], type[DBAPIError]]] = [
        ([("a", "b"), ("a", "c")], IntegrityError),
        ([("a", None)], IntegrityError),
        ([("a", "nul \0")], DataError),
        ([("a", "b", "c")], DataError),
    ]
    for rows, error in refused:
        with pytest.raises(error) as caught, store.engine.begin() as connection:
            driver.copy(connection, copy, rows)
        assert not caught.value.connection_invalidated
    with pytest.raises(UnicodeEncodeError), store.engine.begin() as connection:
        driver.copy(connection, copy, [("a", "\ud800")])
    with store.engine.begin() as connection:
        assert read_meta(connection, "a") == ""
        driver.copy(connection, copy, [("a", "b")])
        assert read_meta(connection, "a") == "b"


def test_a_connection_that_is_lost_at_a_copy_is_not_used_again(store: Store) -> None:
    def backend(connection: Connection) -> int:
        return int(connection.execute(select(func.pg_backend_pid())).scalar_one())

    with pytest.raises(OperationalError), store.engine.connect() as connection:
        lost = backend(connection)
        with store.engine.begin() as other:
            other.execute(select(func.pg_terminate_backend(lost)))
        driver.copy(connection, "COPY meta (name, value) FROM STDIN", [("a", "b")])
    with store.engine.connect() as connection:
        assert backend(connection) != lost
        assert read_meta(connection, "a") == ""


def test_rollups_and_any_question_about_them(store: Store, tmp_path: Path) -> None:
    chance = random.Random(11)
    rows = traffic.rows(chance, 300)
    for start in range(0, len(rows), 70):
        traffic.write(store.engine, rows[start : start + 70])
    traffic.assert_rolled(store.engine)
    for _ in range(150):
        asked = traffic.question(chance)
        assert traffic.told(report_usage(store.engine, asked)) == traffic.told(traffic.answer(rows, asked)), asked
    with store.engine.begin() as connection:
        assert forget_end_user(connection, ["acme"], "a")
        while prune_minutes(connection, traffic.BEGIN_MS + 9 * DAY_MS) or prune(connection, traffic.BEGIN_MS + DAY_MS):
            pass


def test_names_as_long_as_they_come(store: Store) -> None:
    (row,) = traffic.rows(random.Random(1), 1)
    names = ["😀" * 256, "😀" * 3000, "".join(map(chr, range(0x4E00, 0x4E00 + 256)))]
    rows = [traffic.with_names(row, end_user=name, run=name, tags=f"{name},{name}x", model=name) for name in names]
    traffic.write(store.engine, rows)
    traffic.assert_rolled(store.engine)
    for by in ("end_user", "run", "tag", "model"):
        asked = Question(by=(by,))
        assert traffic.told(report_usage(store.engine, asked)) == traffic.told(traffic.answer(rows, asked)), by


def test_two_writers_at_once_count_everything(store: Store, tmp_path: Path) -> None:
    writers = [UsageWriter(store.engine, tmp_path / name, Settings()) for name in "ab"]
    for number, writer in enumerate(writers):
        (tmp_path / "ab"[number]).mkdir()
        for row in traffic.rows(random.Random(number), 700):
            writer.put(row)
        writer.start()
    assert [writer.close(60.0) for writer in writers] == [True, True]
    assert [writer.failures for writer in writers] == [0, 0]
    traffic.assert_rolled(store.engine)


def test_limits_and_what_they_have_counted(store: Store) -> None:
    set_limit(store.engine, "b", Limit(cost_usd=1), now_ms=1)
    set_limit(store.engine, "b", Limit(cost_usd=10), now_ms=2)
    assert list_limits(store.engine) == {"b": Limit(cost_usd=10)}
    for spent in (0, 5):
        ledger = Ledger()
        figures = Figures(store.engine, ledger)
        book = Book(ledger, figures)
        book.store(list_limits(store.engine))
        scope = book.scope(Asker(ANONYMOUS, "m"))
        assert scope is not None
        assert [one.spent for one in ledger.standings(scope)] == [spent]
        if ledger.reserve(scope, cost_nanousd=9) is None:
            figures._write()
        hold = ledger.reserve(scope, cost_nanousd=9)
        assert isinstance(hold, Hold)
        hold.settle(cost_nanousd=5)
        figures.close()
    assert [figure.spent for figure in list_figures(store.engine, 1)] == [10]
    assert remove_limit(store.engine, "b")


def test_prompts_and_content(store: Store, tmp_path: Path) -> None:
    version = Version(messages=(Turn(role="system", text="Hi."),))
    assert [add_prompt(store.engine, "p", version, now_ms=1).version for _ in range(2)] == [1, 2]
    assert remove_prompt(store.engine, "p", 1) == 1
    assert [one.version for one in list_prompts(store.engine)] == [2]
    subjects, contents = Subjects(tmp_path, b"k" * 32), Contents(store.engine)
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_1", "prompt", b"words", at_ms=1, days=1)
    contents.flush()
    assert contents.find(eve, "req_1", "prompt") == b"words"
    assert contents.erase("acme", eve.pseudonym) == 1
    contents.close()
    subjects.close()


def test_a_gateway_on_it(serve: Serve, upstream: Upstream, url: str) -> None:
    upstream.reply(expect, answer())
    config: dict[str, Any] = config_for(upstream.base_url, limits={"money": {"cost_usd": 0.0001, "per": "ever"}})
    config["store"] = {"url": url}
    config["deployments"]["up0"]["price"] = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
    served = serve(config)
    statuses = [served.chat(max_tokens=3).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert json.loads(served.ask("GET", "/readyz").body)["degraded"] == []
    standings = served.gateway.book.ledger.standings()
    assert [one.spent for one in standings] == [78_000]


def test_a_database_of_sqlite_s_is_copied_and_goes_on(store: Store, tmp_path: Path) -> None:
    lite = open_store(Settings(data_dir=str(tmp_path / "lite")), {}, role="server")
    create_key(lite.engine, PEPPER, Key(name="k", tags=("a",)), now_ms=1)
    with lite.engine.begin() as connection:
        connection.execute(insert(usage), [row_values(number) for number in range(3)])
    copied = copy_database(lite.engine, store.engine, lambda *_: None)
    assert (copied["keys"], copied["usage"]) == (1, 3)
    assert load_keys(store.engine, PEPPER).principals == load_keys(lite.engine, PEPPER).principals
    with store.engine.begin() as connection:  # and is numbered on
        connection.execute(insert(usage).values(row_values(9)))
        assert connection.execute(select(func.max(usage.c.id))).scalar() == 4
    lite.close()


def row_values(number: int) -> dict[str, Any]:
    zeros: dict[str, Any] = {}
    for column in usage.columns:
        if column.name != "id":
            zeros[column.name] = None if column.nullable else column.type.python_type()
    return zeros | {"request_id": f"req_{number}"}
