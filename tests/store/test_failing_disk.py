"""S3: whichever of its calls to the disk fails, or finds no memory, SQLite says so, and nothing is lost or half there.

The calls are failed below SQLite, by a library that stands before the system's: the n-th of an act, for every n.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

static long left = -1;
static int error = 0;
static int fired = 0;

void fail_at(long call, int number) { left = call; error = number; fired = 0; }
int has_failed(void) { left = -1; return fired; }

static int fails(void) {
    if (left < 0 || left-- != 0) return 0;
    fired = 1;
    errno = error;
    return 1;
}

#define BEFORE(type, name, takes, gives)                                  \
    type name takes {                                                     \
        static type (*real) takes;                                        \
        if (!real) real = (type (*) takes)dlsym(RTLD_NEXT, #name);        \
        return fails() ? -1 : real gives;                                 \
    }

BEFORE(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at))
BEFORE(ssize_t, pread64, (int file, void *data, size_t size, off64_t at), (file, data, size, at))
BEFORE(int, ftruncate64, (int file, off64_t size), (file, size))
BEFORE(int, fsync, (int file), (file))
BEFORE(int, fdatasync, (int file), (file))
"""
ACTS = """
import ctypes, errno, json, os, sys
import pysqlite3._sqlite3
from sqlalchemy.exc import DBAPIError
from dragoman.access.stored import create_key, list_keys, revoke_key
from dragoman.config.limiting import Limit
from dragoman.config.schema import Key, Store
from dragoman.errors import StoreError
from dragoman.store.engine import open_store
from dragoman.store.limits import list_limits, set_limit

disk = ctypes.CDLL(None)
sqlite = ctypes.CDLL(pysqlite3._sqlite3.__file__)
sqlite.sqlite3_hard_heap_limit64.argtypes = sqlite.sqlite3_soft_heap_limit64.argtypes = [ctypes.c_int64]
sqlite.sqlite3_memory_used.restype = ctypes.c_int64
store = open_store(Store(data_dir=sys.argv[1]), {}, role="visitor")
engine, pepper = store.engine, bytes(32)
made, told = [], {}

def act(name):
    create_key(engine, pepper, Key(name=name, tags=tuple("t%d" % n for n in range(40))), now_ms=1)
    made.append(name)
    set_limit(engine, "pace", Limit(requests=len(made), per="minute"), now_ms=1)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()

def tried(name):
    try:
        act(name)
    except (StoreError, DBAPIError, MemoryError) as error:
        return type(error).__name__
    return ""

def whole():
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert {key.name for key in list_keys(engine)} >= set(made), "what was acknowledged is gone"
    assert list_limits(engine)["pace"].requests <= len(made)

for number in (errno.EIO, errno.ENOSPC):
    call, failed = 0, True
    while failed:
        disk.fail_at(call, number)
        said = tried(f"{number}-{call}")
        failed = bool(disk.has_failed())
        assert failed or said == "", said
        assert tried(f"{number}-{call}-again") == ""
        whole()
        call += 1
    told[errno.errorcode[number]] = call - 1
denied, room = 0, 0
while True:
    engine.dispose()
    sqlite.sqlite3_hard_heap_limit64(max(1, sqlite.sqlite3_memory_used() + room))
    said = tried(f"memory-{room}")
    sqlite.sqlite3_hard_heap_limit64(0)
    assert tried(f"memory-{room}-again") == ""
    whole()
    if not said:
        break
    denied, room = denied + 1, room + 4096
told["NOMEM"] = denied
print(json.dumps(told))
"""


def test_s3_whatever_call_fails_the_next_works_and_the_file_is_whole(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, so no failing disk")
    source, library = tmp_path / "disk.c", tmp_path / "disk.so"
    source.write_text(LIBRARY)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    command = [sys.executable, "-c", ACTS, str(tmp_path / "data")]
    environ = os.environ | {"LD_PRELOAD": str(library)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert all(count > 5 for count in told.values()), told
    say("calls to the disk that were failed, one at a time: " + ", ".join(f"{n} {told[n]}" for n in told))
