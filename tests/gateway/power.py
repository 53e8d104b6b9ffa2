"""A power cut: what a disk has where nothing is kept but what was synced, by a library before the system's own.

A file is what it was when it was last synced, and empty if it never was; a name is there if its directory was synced
since. That is the least that POSIX promises; most file systems keep more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

LIBRARY = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file by what no other has, not even one that gets its number later. */
static int name_of(int at, const char *path, int flags, char *name, struct statx *found) {
    if (statx(at, path, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, found)) return -1;
    return sprintf(name, "%llu.%lld.%u", (unsigned long long)found->stx_ino,
                   (long long)found->stx_btime.tv_sec, found->stx_btime.tv_nsec);
}

static void keep_content(int file, int into, off_t size) {
    static __thread char piece[1 << 16];
    for (off_t at = 0; at < size;) {
        size_t wanted = size - at < (off_t)sizeof piece ? size - at : sizeof piece;
        ssize_t got = pread(file, piece, wanted, at);
        if (got <= 0 || write(into, piece, got) != got) break;
        at += got;
    }
}

static void keep_names(const char *path, int into) {
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char key[96], line[512];
        struct statx found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (name_of(dirfd(folder), entry->d_name, 0, key, &found) < 0) continue;
        int size = snprintf(line, sizeof line, "%c %s %s\n", S_ISDIR(found.stx_mode) ? 'd' : 'f', key, entry->d_name);
        if (write(into, line, size) != size) break;
    }
    if (folder) closedir(folder);
}

static void keep(int file) {
    const char *of = getenv("POWER_OF"), *kept = getenv("POWER_KEPT");
    char link[64], path[4096], key[96], draft[4200], name[4200];
    struct statx found;
    int before = errno;
    sprintf(link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (!of || !kept || size < 0) return;
    path[size] = 0;
    if (strncmp(path, of, strlen(of)) || name_of(file, "", AT_EMPTY_PATH, key, &found) < 0) return;
    snprintf(name, sizeof name, "%s/lock", kept);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    flock(lock, LOCK_EX);
    snprintf(draft, sizeof draft, "%s/draft", kept);
    snprintf(name, sizeof name, "%s/%s", kept, key);
    int into = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (S_ISDIR(found.stx_mode)) keep_names(path, into);
    else {
        /* As much as was there when it was asked for; and readable, whatever the descriptor is for. */
        int again = open(link, O_RDONLY | O_CLOEXEC);
        keep_content(again, into, found.stx_size);
        close(again);
    }
    close(into);
    rename(draft, name);
    close(lock);
    errno = before;
}

#define BEFORE(name)                                            \
    int name(int file) {                                        \
        static int (*real)(int);                                \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
        keep(file);                                             \
        return real(file);                                      \
    }

BEFORE(fsync)
BEFORE(fdatasync)
"""

# What has come through a power cut is on the disk.
SYNC_ALL = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in (".", *names):
        os.fsync(os.open(os.path.join(folder, name), os.O_RDONLY))
"""


class Power:
    """The disk under a directory, which is there already and empty."""

    def __init__(self, directory: Path, beside: Path) -> None:
        """:param beside: where the library is made, and what was synced is kept."""
        self.directory = directory
        self._kept = beside / "kept"
        self._kept.mkdir()
        library = beside / "power.so"
        source = beside / "power.c"
        source.write_text(LIBRARY)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        self.environ = {"LD_PRELOAD": str(library), "POWER_OF": str(directory), "POWER_KEPT": str(self._kept)}

    def cut(self) -> None:
        """Have the directory as it would be after a power cut. Whoever wrote there has been killed."""
        found = self.directory.with_name(f"{self.directory.name}.found")
        found.mkdir()
        self._build(_key_of(self.directory), found)
        shutil.rmtree(self.directory)
        found.rename(self.directory)
        for kept in self._kept.iterdir():
            kept.unlink()
        command = [sys.executable, "-c", SYNC_ALL, str(self.directory)]
        subprocess.run(command, env=os.environ | self.environ, check=True)

    def _build(self, key: str, into: Path) -> None:
        listing = self._kept / key
        for line in listing.read_text().splitlines() if listing.exists() else ():
            kind, one, name = line.split(" ", 2)
            if kind == "d":
                (into / name).mkdir(mode=0o700)
                self._build(one, into / name)
                continue
            content = self._kept / one
            (into / name).write_bytes(content.read_bytes() if content.exists() else b"")
            (into / name).chmod(0o600)


def _key_of(path: Path) -> str:
    """As the library names a file."""
    # Python's own stat knows no time of birth.
    told = subprocess.run(["stat", "-c", "%i %W %w", str(path)], capture_output=True, text=True, check=True).stdout
    number, second, written = told.split(" ", 2)
    nanoseconds = written.split(".")[1].split(" ")[0] if "." in written else "0"
    return f"{number}.{second}.{int(nanoseconds)}"
