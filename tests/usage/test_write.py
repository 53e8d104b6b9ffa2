from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import event, func, select
from tests.usage.traffic import assert_rolled

from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError
from dragoman.store.engine import Store, open_store
from dragoman.store.tables import usage, usage_rollups
from dragoman.usage import spool as spool_module
from dragoman.usage import write
from dragoman.usage.row import UsageRow
from dragoman.usage.spool import Spool
from dragoman.usage.write import UsageWriter

MakeRow = Callable[..., UsageRow]
PATIENCE_S = 60.0  # for what must happen soon; a loaded machine is slow, not wrong

KILLED = """
import sys, time
NOW_MS = time.time_ns() // 1_000_000
from dragoman.config.schema import Store
from dragoman.store.engine import open_store
from dragoman.usage.row import UsageRow
from dragoman.usage.write import UsageWriter
settings = Store(data_dir=sys.argv[1])
store = open_store(settings, {}, role="server")
writer = UsageWriter(store.engine, store.directory, settings)
writer.start()
number = 0
while True:
    print(writer.written, flush=True)
    while number - writer.written > 5000:
        time.sleep(0.001)
    for _ in range(50):
        row = dict(started_at_ms=NOW_MS + number, snapshot=1, endpoint="chat", status=200, end_user=f"u{number % 9}")
        writer.put(UsageRow(request_id=f"r{number}", total_ms=number / 7, tags="a,b", **row))
        number += 1
"""


def spools(store: Store) -> list[Path]:
    return list(store.directory.glob("usage-spool-*"))


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.01)


def ids(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.execute(select(usage.c.request_id).order_by(usage.c.id)).scalars())


def oldest_rollup_ms(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.min(usage_rollups.c.start_ms))).scalar_one()


@contextmanager
def refusing(store: Store) -> Iterator[None]:
    """Within this the database has no table that rows could go to."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE usage RENAME TO usage_away")
    yield
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE usage_away RENAME TO usage")


@pytest.fixture
def writer(store: Store, settings: Settings) -> Iterator[UsageWriter]:
    made = UsageWriter(store.engine, store.directory, settings)
    made.start()
    yield made
    made.close(PATIENCE_S)


def test_rows_arrive_without_being_asked_for(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    rows = [make_row() for _ in range(3)]
    for row in rows:
        writer.put(row)
    eventually(lambda: writer.written == 3)
    assert ids(store) == [row.request_id for row in rows]
    assert writer.is_healthy


def test_closing_writes_all_that_is_queued_in_order(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings)
    rows = [make_row() for _ in range(3000)]
    for row in rows:
        writer.put(row)
    writer.start()
    assert writer.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows]
    assert (writer.written, writer.queued, writer.dropped, writer.spooled, writer.failures) == (3000, 0, 0, 0, 0)
    assert not writer.is_healthy


def test_a_row_is_found_from_memory_and_from_the_database(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings, recent_rows=2)
    rows = [make_row(tags="a", stream=True, cost_nanousd=5, first_token_ms=1.25) for _ in range(4)]
    for row in rows:
        writer.put(row)
    assert writer.find(rows[0].request_id) is None  # neither remembered nor written yet
    assert writer.find(rows[3].request_id) == rows[3]
    writer.start()
    writer.close(PATIENCE_S)
    found = writer.find(rows[0].request_id)
    assert found == rows[0]
    assert writer.find("unknown") is None
    assert writer.find("' OR 1=1 --") is None


def test_rollups_are_written_with_their_rows(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings)
    for number in range(1200):
        writer.put(make_row(started_at_ms=number * 7_000_000, tags="a,b", end_user=f"u{number % 40}"))
    writer.start()
    assert writer.close(PATIENCE_S)
    assert_rolled(store.engine)


def test_of_two_rows_for_one_request_the_newer_is_found(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings, recent_rows=1)
    first = make_row()
    for row in (first, replace(first, status=500), make_row()):
        writer.put(row)
    writer.start()
    writer.close(PATIENCE_S)
    found = writer.find(first.request_id)
    assert found is not None and found.status == 500


def test_finding_in_a_broken_database_is_a_store_error(store: Store, writer: UsageWriter) -> None:
    with refusing(store), pytest.raises(StoreError, match="cannot be read"):
        writer.find("x")


def test_a_full_queue_drops_and_counts_and_forgets_nothing_recent(
    store: Store, settings: Settings, make_row: MakeRow
) -> None:
    writer = UsageWriter(store.engine, store.directory, replace(settings, usage_queue=10))
    rows = [make_row() for _ in range(15)]
    for row in rows:
        writer.put(row)
    assert (writer.queued, writer.dropped) == (10, 5)
    assert writer.find(rows[14].request_id) == rows[14]
    writer.start()
    assert writer.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows[:10]]


def test_a_database_that_refuses_for_a_while_costs_no_row(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    rows = [make_row() for _ in range(700)]
    with refusing(store):
        for row in rows:
            writer.put(row)
        eventually(lambda: writer.failures >= 2)
        assert not writer.is_healthy
        assert writer.queued == 700
    eventually(lambda: writer.written == 700)
    assert ids(store) == [row.request_id for row in rows]
    assert writer.is_healthy and writer.spooled == 0


def test_past_half_the_queue_rows_go_to_the_spool_and_come_back(
    store: Store, settings: Settings, make_row: MakeRow
) -> None:
    writer = UsageWriter(store.engine, store.directory, replace(settings, usage_queue=100))
    rows = [make_row(metadata='{"a": "é"}') for _ in range(90)]
    with refusing(store):
        for row in rows:
            writer.put(row)
        writer.start()
        eventually(lambda: writer.spooled >= 45)
        assert writer.queued <= 50
    eventually(lambda: writer.written == 90)
    eventually(lambda: not spools(store))
    writer.close(PATIENCE_S)
    assert sorted(ids(store)) == sorted(row.request_id for row in rows)
    assert writer.dropped == 0


def test_closing_while_the_database_refuses_spools_and_the_next_start_reads_it_back(
    store: Store, settings: Settings, make_row: MakeRow
) -> None:
    rows = [make_row() for _ in range(1300)]
    first = UsageWriter(store.engine, store.directory, settings)
    with refusing(store):
        for row in rows:
            first.put(row)
        first.start()
        assert first.close(PATIENCE_S)
        assert first.spooled == 1300 and first.written == 0
    second = UsageWriter(store.engine, store.directory, settings)
    second.start()
    eventually(lambda: second.written == 1300)
    second.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows]
    assert_rolled(store.engine)


def test_what_was_read_back_before_a_crash_is_not_read_twice(
    store: Store, settings: Settings, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [make_row() for _ in range(1300)]
    Spool(store.directory).append(rows)
    first = UsageWriter(store.engine, store.directory, settings)
    assert first._read_chunk_back()  # as if killed after the first chunk
    second = UsageWriter(store.engine, store.directory, settings)
    monkeypatch.setattr(Spool, "remove", lambda _spool: None)  # as if killed before the file was deleted
    second.start()
    eventually(lambda: second.written == 1300 - write.BATCH_ROWS)
    second.close(PATIENCE_S)
    third = UsageWriter(store.engine, store.directory, settings)
    assert not third._read_chunk_back()
    assert ids(store) == [row.request_id for row in rows]
    assert_rolled(store.engine)


def test_a_new_spool_is_read_from_its_start(store: Store, settings: Settings, make_row: MakeRow) -> None:
    rows = [make_row() for _ in range(4)]
    for part in (rows[:2], rows[2:]):
        Spool(store.directory).append(part)
        writer = UsageWriter(store.engine, store.directory, settings)
        writer.start()
        eventually(lambda: not spools(store))
        writer.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows]


def test_a_damaged_spool_gives_what_can_be_read(store: Store, settings: Settings, make_row: MakeRow) -> None:
    rows = [make_row() for _ in range(3)]
    Spool(store.directory).append(rows)
    (path,) = spools(store)
    path.write_bytes(path.read_bytes()[:-5])
    writer = UsageWriter(store.engine, store.directory, settings)
    writer.start()
    eventually(lambda: not path.exists())
    writer.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows[:2]]
    assert writer.unreadable == 1


def test_neither_database_nor_spool_keeps_the_rows_in_memory(
    store: Store, settings: Settings, make_row: MakeRow
) -> None:
    (store.directory / "usage-spool-0.jsonl").mkdir()  # a spool that cannot be opened
    writer = UsageWriter(store.engine, store.directory, replace(settings, usage_queue=20))
    with refusing(store):
        for _ in range(25):
            writer.put(make_row())
        writer.start()
        eventually(lambda: writer.failures >= 4)
        assert (writer.queued, writer.dropped, writer.spooled) == (20, 5, 0)
    eventually(lambda: writer.written == 20)
    assert writer.close(PATIENCE_S)


def test_closing_when_nothing_takes_the_rows_says_so(store: Store, settings: Settings, make_row: MakeRow) -> None:
    (store.directory / "usage-spool-0.jsonl").mkdir()
    writer = UsageWriter(store.engine, store.directory, settings)
    with refusing(store):
        writer.put(make_row())
        writer.start()
        assert not writer.close(PATIENCE_S)
    assert writer.queued == 1


def test_a_locked_database_is_waited_for(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    with store.engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        for _ in range(10):
            writer.put(make_row())
        eventually(lambda: writer.failures >= 1)
        assert writer.queued == 10
        other.rollback()
    eventually(lambda: writer.written == 10)
    assert len(ids(store)) == 10


def test_a_full_disk_is_survived_and_recovered_from(store: Store, settings: Settings, make_row: MakeRow) -> None:
    limit = ["PRAGMA max_page_count = 1"]  # SQLite answers as it does on a full disk

    @event.listens_for(store.engine, "begin")
    def limit_pages(connection: object) -> None:
        connection.exec_driver_sql(limit[0])  # type: ignore[attr-defined]

    writer = UsageWriter(store.engine, store.directory, settings)
    rows = [make_row(metadata="x" * 3000) for _ in range(100)]
    for row in rows:
        writer.put(row)
    writer.start()
    eventually(lambda: writer.failures >= 2)
    limit[0] = "PRAGMA max_page_count = 4294967294"
    eventually(lambda: writer.written == 100)
    assert writer.close(PATIENCE_S)
    assert ids(store) == [row.request_id for row in rows]


def test_values_that_no_database_takes_neither_stop_the_queue_nor_lose_the_row(
    store: Store, writer: UsageWriter, make_row: MakeRow
) -> None:
    hostile = [make_row(end_user="\ud800"), make_row(input_tokens=2**80), make_row(metadata="\udcff" * 1000)]
    wrong = make_row(status=["not a number"])
    good = make_row()
    for row in (*hostile, wrong, good):
        writer.put(row)
    eventually(lambda: writer.queued == 0 and writer.written == 4)
    assert ids(store) == [row.request_id for row in (*hostile, good)]
    assert writer.dropped == 1
    assert_rolled(store.engine)


def test_a_row_that_cannot_be_added_up_is_dropped_alone(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    for row in (make_row(tags=5), make_row(total_ms="long"), make_row()):
        writer.put(row)
    eventually(lambda: writer.queued == 0 and writer.written == 1)
    assert writer.dropped == 2
    assert_rolled(store.engine)


def test_such_values_pass_through_the_spool_too(store: Store, settings: Settings, make_row: MakeRow) -> None:
    first = UsageWriter(store.engine, store.directory, settings)
    with refusing(store):
        first.put(make_row(end_user="\ud800", input_tokens=2**80))
        first.start()
        assert first.close(PATIENCE_S)
    second = UsageWriter(store.engine, store.directory, settings)
    second.start()
    eventually(lambda: second.written == 1)
    second.close(PATIENCE_S)


def test_a_full_spool_keeps_the_rest_in_memory(
    store: Store, settings: Settings, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = UsageWriter(store.engine, store.directory, replace(settings, usage_queue=100))
    monkeypatch.setattr(writer, "_spool", Spool(store.directory, max_bytes=10_000))
    with refusing(store):
        for _ in range(100):
            writer.put(make_row())
        writer.start()
        eventually(lambda: writer.failures >= 3)
        assert 0 < writer.spooled < 20
        eventually(lambda: writer.queued + writer.spooled == 100)  # some are in hand while they are tried
    eventually(lambda: writer.written == 100)
    assert writer.close(PATIENCE_S)
    assert len(set(ids(store))) == 100


def test_old_rows_go_and_new_ones_stay(
    store: Store, settings: Settings, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "RETENTION_EVERY_S", 0.0)
    now_ms = int(time.time() * 1000)
    day_ms = 86_400_000
    keeps = replace(settings, usage_retention_days=2)
    first = UsageWriter(store.engine, store.directory, keeps)
    old = [make_row(started_at_ms=now_ms - 3 * day_ms) for _ in range(2500)]
    new = [make_row(started_at_ms=now_ms - day_ms) for _ in range(5)]
    for row in old + new:
        first.put(row)
    first.start()
    eventually(lambda: sorted(ids(store)) == sorted(row.request_id for row in new))
    eventually(lambda: oldest_rollup_ms(store) >= now_ms - 3 * day_ms)
    first.close(PATIENCE_S)
    assert_rolled(store.engine)


def test_putting_from_many_threads_loses_nothing(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings, recent_rows=50)
    writer.start()
    rows = [[make_row() for _ in range(500)] for _ in range(4)]

    def put_all(part: list[UsageRow]) -> None:
        for row in part:
            writer.put(row)

    threads = [threading.Thread(target=put_all, args=(part,)) for part in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(PATIENCE_S)
    assert sorted(ids(store)) == sorted(row.request_id for part in rows for row in part)


def test_putting_does_no_input_or_output(store: Store, settings: Settings, make_row: MakeRow) -> None:
    writer = UsageWriter(store.engine, store.directory, settings)
    rows = [make_row() for _ in range(100)]
    before = os.stat(store.directory), len(os.listdir(store.directory)), resource.getrusage(resource.RUSAGE_THREAD)
    for row in rows:
        writer.put(row)
    after = os.stat(store.directory), len(os.listdir(store.directory)), resource.getrusage(resource.RUSAGE_THREAD)
    assert (after[0], after[1], after[2].ru_oublock) == (before[0], before[1], before[2].ru_oublock)


@pytest.mark.parametrize("seed", range(8))
def test_kill_nine_loses_only_what_was_not_yet_committed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        written = 0
        for _ in range(chance.randrange(2, 400)):
            written = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:  # what it had said before it died
            if line.endswith(b"\n"):
                written = int(line)
    store = open_store(Settings(data_dir=str(tmp_path / "data")), {}, role="server")
    found = ids(store)
    assert_rolled(store.engine)
    store.close()
    assert len(found) >= written
    assert found == [f"r{number}" for number in range(len(found))]  # no gap, none twice


def test_the_disk_fills_up_below_database_and_spool(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: every write beyond it fails, of either file."""
    code = f"""
import resource, sys, time
NOW_MS = time.time_ns() // 1_000_000
from dragoman.config.schema import Store
from dragoman.store.engine import open_store
from dragoman.usage.row import UsageRow
from dragoman.usage.write import UsageWriter
settings = Store(data_dir=sys.argv[1], usage_queue=2000)
store = open_store(settings, {{}}, role="server")
writer = UsageWriter(store.engine, store.directory, settings)
writer.start()
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
deadline = time.monotonic() + {PATIENCE_S}
number = 0
while not writer.dropped and time.monotonic() < deadline:
    writer.put(UsageRow(request_id=f"r{{number}}", started_at_ms=NOW_MS, snapshot=1, endpoint="chat", status=200))
    number += 1
    time.sleep(0.0001)
assert writer.failures and writer.dropped == 1, (writer.failures, writer.dropped)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
while writer.written < number - 1 and time.monotonic() < deadline:
    time.sleep(0.01)
assert writer.close({PATIENCE_S})
with store.engine.connect() as connection:
    count = connection.exec_driver_sql("SELECT count(DISTINCT request_id), count(*) FROM usage").one()
    assert tuple(count) == (number - 1, number - 1), (tuple(count), number)
    assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
store.close()
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=True)


def test_the_spool_is_bounded_by_default() -> None:
    assert spool_module.MAX_BYTES == 256 * 1024 * 1024


def test_counting_agrees_with_the_table(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    for _ in range(1000):
        writer.put(make_row())
    writer.close(PATIENCE_S)
    with store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(usage)).scalar_one() == writer.written == 1000


def test_nothing_is_deleted_in_the_first_hour(store: Store, writer: UsageWriter, make_row: MakeRow) -> None:
    writer.put(make_row(started_at_ms=1))
    eventually(lambda: writer.written == 1)
    writer.close(PATIENCE_S)
    assert len(ids(store)) == 1
