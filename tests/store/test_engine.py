from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError
from dragoman.store import engine as engine_module
from dragoman.store import location
from dragoman.store.engine import open_store
from dragoman.store.tables import keys, meta

CRASH = """
import os, sys
from dragoman.config.schema import Store
from dragoman.store.engine import open_store
store = open_store(Store(data_dir=sys.argv[1]), {}, role="server")
with store.engine.begin() as connection:
    connection.exec_driver_sql("INSERT INTO meta VALUES ('committed', 'yes')")
print("ready", flush=True)
sys.stdin.read()
"""


def file_of(settings: Settings) -> Path:
    return Path(settings.data_dir) / "dragoman.db"


def test_everything_is_made_and_private(settings: Settings) -> None:
    store = open_store(settings, {}, role="server")
    assert store.directory == Path(settings.data_dir)
    assert store.directory.stat().st_mode & 0o777 == 0o700
    with store.engine.begin() as connection:
        connection.execute(insert(meta).values(name="a", value="b"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.directory.iterdir()}
    assert set(modes) >= {"dragoman.db", "dragoman.db-wal", "dragoman.db-shm", "dragoman.db.lock"}
    assert set(modes.values()) == {0o600}
    assert store.log_bytes() > 0
    store.close()
    assert not file_of(settings).with_name("dragoman.db-wal").exists()
    assert store.log_bytes() == 0


def test_a_second_server_is_refused_until_the_first_closes(settings: Settings) -> None:
    first = open_store(settings, {}, role="server")
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        open_store(settings, {}, role="server")
    first.close()
    open_store(settings, {}, role="server").close()


def test_a_second_server_by_another_way_to_the_same_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    first = open_store(settings, {}, role="server")
    link = tmp_path / "link.db"
    link.symlink_to(file_of(settings))
    with pytest.raises(StoreError, match="another server"):
        open_store(Settings(url=f"sqlite:///{link}", data_dir=str(tmp_path / "other")), {}, role="server")
    first.close()


def test_a_visitor_reads_and_writes_beside_a_server(settings: Settings) -> None:
    server = open_store(settings, {}, role="server")
    visitor = open_store(settings, {}, role="visitor")
    with visitor.engine.begin() as connection:
        connection.execute(insert(meta).values(name="from", value="visitor"))
    with server.engine.connect() as connection:
        assert connection.execute(meta.select()).all() == [("from", "visitor")]
    visitor.close()
    server.close()


def test_a_visitor_writes_durably_and_a_server_fast(settings: Settings) -> None:
    for role, expected in (("visitor", 2), ("server", 1)):
        store = open_store(settings, {}, role=role)
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected
        store.close()


def test_a_visitor_does_not_migrate_below_a_running_server(settings: Settings) -> None:
    server = open_store(settings, {}, role="server")
    with server.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'r0000'")
    with pytest.raises(StoreError, match="another server"):
        open_store(settings, {}, role="visitor")
    server.close()


def test_a_killed_server_loses_nothing_and_the_next_one_starts(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CRASH, settings.data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        server.send_signal(signal.SIGKILL)
    store = open_store(settings, {}, role="server")
    with store.engine.connect() as connection:
        assert connection.execute(meta.select()).all() == [("committed", "yes")]
    store.close()


def filled(settings: Settings) -> None:
    store = open_store(settings, {}, role="server")
    row = {c.name: None if c.nullable else "" for c in keys.c}
    row |= {"admin": False, "allow_fallbacks": True, "allow_no_log": False, "allow_cache_knobs": True}
    rows = [row | {"id": str(n), "name": f"n{n}", "hash": os.urandom(32), "created_at_ms": n} for n in range(500)]
    with store.engine.begin() as connection:
        connection.execute(insert(keys), rows)
    store.close()


def test_every_hundredth_byte_flipped_is_noticed_at_start(settings: Settings) -> None:
    filled(settings)
    path = file_of(settings)
    content = bytearray(path.read_bytes())
    for offset in range(0, len(content), 100):
        content[offset] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError, match="restore a backup"):
        open_store(settings, {}, role="server")


@pytest.mark.parametrize("seed", range(20))
def test_a_page_overwritten_with_noise_is_noticed_or_harmless(settings: Settings, seed: int) -> None:
    filled(settings)
    path = file_of(settings)
    content = bytearray(path.read_bytes())
    chance = random.Random(seed)
    page = chance.randrange(len(content) // 4096) * 4096
    content[page : page + 4096] = chance.randbytes(4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"restore a backup|not Dragoman's|does not take the journal mode"):
        open_store(settings, {}, role="server")


@pytest.mark.parametrize("length", [2, 50, 100, 4095, 4097, 20_000])
def test_a_truncated_file_is_noticed_at_start(settings: Settings, length: int) -> None:
    filled(settings)
    path = file_of(settings)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StoreError, match=r"dragoman\.db cannot be used"):
        open_store(settings, {}, role="server")


def test_after_a_refusal_the_lock_is_free_and_still_tells_of_the_crash(settings: Settings) -> None:
    filled(settings)
    path = file_of(settings)
    good = path.read_bytes()
    path.write_bytes(b"not a database" * 400)
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be used"):
            open_store(settings, {}, role="server")
    assert path.with_name("dragoman.db.lock").read_text().strip() == str(os.getpid())
    path.write_bytes(good)
    open_store(settings, {}, role="server").close()
    assert path.with_name("dragoman.db.lock").read_text() == ""


@pytest.mark.parametrize("kept", [0, 1, 31, 5000, 9000])
def test_a_truncated_log_after_a_crash_leaves_a_whole_database(settings: Settings, kept: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CRASH, settings.data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        server.send_signal(signal.SIGKILL)
    log = file_of(settings).with_name("dragoman.db-wal")
    log.write_bytes(log.read_bytes()[:kept])
    log.with_name("dragoman.db-shm").unlink()
    store = open_store(settings, {}, role="server")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()


def test_a_large_file_is_checked_whole_only_after_a_crash(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []

    def record(_connection: object, _path: Path, *, whole_up_to_bytes: int) -> str:
        limits.append(whole_up_to_bytes)
        return ""

    monkeypatch.setattr(engine_module, "check_integrity", record)
    open_store(settings, {}, role="server").close()
    file_of(settings).with_name("dragoman.db.lock").write_text("4242\n")
    open_store(settings, {}, role="server").close()
    open_store(settings, {}, role="visitor").close()
    assert limits == [engine_module.CLEAN_CHECK_BYTES, engine_module.UNCLEAN_CHECK_BYTES]


def test_a_network_file_system_is_refused_before_the_file_is_made(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / {tmp_path} rw - nfs server:/ rw\n")
    monkeypatch.setattr(location, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match="network file system"):
        open_store(settings, {}, role="server")
    assert not file_of(settings).exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database address"),
        ("mysql://u:secret@h/d", "mysql is not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_other_addresses_are_refused(settings: Settings, url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        open_store(Settings(url=url, data_dir=settings.data_dir), {}, role="server")
    assert "secret" not in str(caught.value)


def test_postgresql_without_its_driver_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"dragoman\[postgres\]"):
        open_store(Settings(url="postgresql+psycopg://u:p@h/d", data_dir=settings.data_dir), {}, role="server")


def test_a_file_that_cannot_be_written_is_a_store_error(settings: Settings) -> None:
    open_store(settings, {}, role="server").close()
    with pytest.raises(StoreError, match="cannot"):
        open_store(Settings(url="sqlite:////proc/none/d.db", data_dir=settings.data_dir), {}, role="server")


def test_closing_twice_is_as_good_as_once(settings: Settings) -> None:
    store = open_store(settings, {}, role="server")
    store.close()
    store.close()


def test_what_is_committed_is_synced_when_it_is_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    store = open_store(settings, {}, role="server")
    for way in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, way, lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    for number in range(2):
        with store.engine.begin() as connection:
            connection.execute(insert(meta).values(name=f"n{number}", value=""))
        store.sync()
        store.sync()
    log = f"{file_of(settings).resolve()}-wal"
    assert synced == [log, str(Path(log).parent), log], "its name is synced once"
    store.close()
    store.sync()
    assert len(synced) == 3, "a database that was closed has no log"


def test_a_log_that_cannot_be_synced_is_a_store_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    store = open_store(settings, {}, role="server")
    for way in ("fdatasync", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, way, fails)
            for _ in range(2):
                with pytest.raises(StoreError, match="cannot be synced: Input/output error"):
                    store.sync()
    store.sync()
    store.close()
