"""Where the durable things are: the data directory and the database's address.

The directory holds keys' hashes, the pepper and who asked what, so it is the owner's alone (0700, files 0600). SQLite's
write-ahead log shares memory between processes through the file system, which network file systems do not do: a
database there corrupts silently, so one is refused before it is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dragoman.config.schema import Store
from dragoman.errors import StoreError

NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"}
    | {"lustre", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs"}
)
_MOUNTS = Path("/proc/self/mountinfo")


def data_dir(settings: Store, environ: Mapping[str, str]) -> Path:
    """``store.data_dir``, or ``$XDG_DATA_HOME/dragoman``, or ``~/.local/share/dragoman``. Not created here."""
    if settings.data_dir:
        return Path(settings.data_dir).expanduser()
    shared = environ.get("XDG_DATA_HOME", "")
    # The standard says that a relative path in the variable is to be ignored.
    home = Path(shared) if Path(shared).is_absolute() else Path.home() / ".local" / "share"
    return home / "dragoman"


def create_data_dir(path: Path) -> None:
    """Make the directory, readable by its owner alone, where it does not exist."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_folder(path)
    except OSError as error:
        raise StoreError(f"cannot create the data directory {path}: {error.strerror}; set store.data_dir") from error


def create_folder(path: Path) -> None:
    """Make a directory, its owner's alone, where there is none; durably.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        path.mkdir(mode=0o700, exist_ok=True)
        sync_names(path.parent)


def sync_names(directory: Path) -> None:
    """Have what is in a directory be there after a power cut as well: a file that is synced need not have its name.

    Raises:
        OSError: it cannot be synced.
    """
    _sync(directory, os.fsync)


def sync_content(path: Path) -> None:
    """Have what is in a file be there after a power cut; not when it was written to, which costs as much again.

    Raises:
        OSError: it cannot be synced.
    """
    _sync(path, os.fdatasync)


def _sync(path: Path, synced: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        synced(descriptor)
    finally:
        os.close(descriptor)


def database_url(settings: Store, directory: Path) -> str:
    """``store.url``, or the SQLite file in the data directory."""
    return settings.url or f"sqlite:///{directory.absolute() / 'dragoman.db'}"


def create_private_file(path: Path) -> None:
    """Make an empty file, 0600, where there is none. SQLite gives its side files the mode of the main one."""
    try:
        is_new = not path.exists()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if is_new:
            sync_names(path.parent)
    except OSError as error:
        raise StoreError(f"cannot open the database {path}: {error.strerror}") from error


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that ``path`` (absolute) is on, read from the text of ``/proc/self/mountinfo``.

    Empty when no mount covers it.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        place, _, origin = line.partition(" - ")
        fields = place.split(" ")
        if len(fields) < 5 or not origin:
            continue
        mount = fields[4].replace("\\040", " ")
        covers = path.is_relative_to(mount)
        if covers and len(mount) >= len(best):  # a later mount hides an earlier one at the same place
            best, kind = mount, origin.split(" ", 1)[0]
    return kind


def refuse_network_file_system(path: Path) -> None:
    """Raise ``StoreError`` when the file is on a network file system. Where ``/proc`` is missing nothing is known."""
    try:
        mounts = _MOUNTS.read_text(errors="replace")
    except OSError:
        return
    kind = file_system(path.resolve(), mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} is on a network file system ({kind}), where SQLite loses data; "
            "set store.data_dir to a local directory, or store.url to a PostgreSQL server"
        )
