from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.config.schema import Store
from dragoman.errors import StoreError
from dragoman.store import location
from dragoman.store.location import (
    create_data_dir,
    create_private_file,
    data_dir,
    database_url,
    file_system,
    refuse_network_file_system,
)

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /srv rw shared:2 - nfs4 server:/export rw,vers=4.2
24 23 0:22 / /srv/local rw shared:3 - xfs /dev/sdb rw
25 22 0:23 / /mnt/with\040space rw - cifs //server/share rw
26 22 0:24 / /data rw - ext4 /dev/sdc rw
27 26 0:25 / /data rw - fuse.sshfs host:/ rw
a torn line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/dragoman.db", "ext4"),
        ("/srv/dragoman.db", "nfs4"),
        ("/srv/local/dragoman.db", "xfs"),
        ("/srvlocal/dragoman.db", "ext4"),
        ("/mnt/with space/d.db", "cifs"),
        ("/data/d.db", "fuse.sshfs"),  # mounted over the ext4
    ],
)
def test_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_file_system_is_empty_without_mounts() -> None:
    assert file_system(Path("/x"), "") == ""


def test_a_network_file_system_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / {tmp_path} rw - nfs4 server:/ rw\n")
    monkeypatch.setattr(location, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match="nfs4"):
        refuse_network_file_system(tmp_path / "dragoman.db")


def test_a_local_file_system_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 0:1 / / rw - ext4 /dev/sda rw\n")
    monkeypatch.setattr(location, "_MOUNTS", mounts)
    refuse_network_file_system(tmp_path / "dragoman.db")
    monkeypatch.setattr(location, "_MOUNTS", tmp_path / "none")
    refuse_network_file_system(tmp_path / "dragoman.db")


def test_data_dir_follows_the_settings_then_the_standard_then_home() -> None:
    assert data_dir(Store(data_dir="/srv/d"), {"XDG_DATA_HOME": "/x"}) == Path("/srv/d")
    assert data_dir(Store(), {"XDG_DATA_HOME": "/x"}) == Path("/x/dragoman")
    assert data_dir(Store(), {"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/dragoman"
    assert data_dir(Store(), {}) == Path.home() / ".local/share/dragoman"


def test_the_directory_and_the_file_are_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    create_data_dir(folder)
    create_data_dir(folder)
    create_private_file(folder / "f")
    create_private_file(folder / "f")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "f").stat().st_mode & 0o777 == 0o600


def test_what_is_made_is_there_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    for _ in range(2):
        create_data_dir(tmp_path / "d")
        create_private_file(tmp_path / "d" / "f")
    assert synced == [str(tmp_path), str(tmp_path / "d")], "each name once"


def test_a_directory_that_cannot_be_made_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"store\.data_dir"):
        create_data_dir(tmp_path / "file" / "below")
    with pytest.raises(StoreError, match="cannot open"):
        create_private_file(tmp_path / "none" / "f")


def test_database_url_is_in_the_directory_unless_given() -> None:
    assert database_url(Store(), Path("/d")) == "sqlite:////d/dragoman.db"
    assert database_url(Store(), Path("d")) == f"sqlite:///{os.getcwd()}/d/dragoman.db"
    assert database_url(Store(url="sqlite:////x.db"), Path("/d")) == "sqlite:////x.db"
