from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_the_configuration_names_the_database(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "dragoman.yaml"
    config.write_text(f"store:\n  data_dir: {tmp_path / 'named'}\n")
    assert run("keys", "list").exit_code == 0
    assert (tmp_path / "named" / "dragoman.db").exists()
    other = tmp_path / "other.yaml"
    other.write_text(f"store:\n  data_dir: {tmp_path / 'other'}\n")
    assert run("keys", "list", "--config", other).exit_code == 0
    assert (tmp_path / "other" / "dragoman.db").exists()


def test_without_one_it_is_in_the_home_directory(run: Run, tmp_path: Path) -> None:
    assert run("usage").exit_code == 0
    assert (tmp_path / "home" / ".local" / "share" / "dragoman" / "dragoman.db").exists()


def test_an_option_spares_reading_the_configuration(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("nonsense: [")
    assert run("keys", "list").exit_code == 78
    assert run("keys", "list", "--data-dir", tmp_path / "d").exit_code == 0
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    assert run("keys", "list", "--store-url", url).exit_code == 0
    assert (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize("command", [("keys", "list"), ("usage",), ("keys", "create", "a"), ("keys", "revoke", "a")])
def test_a_database_that_cannot_be_used_ends_the_command_with_the_reason(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "dragoman.db").write_bytes(b"not a database" * 400)
    result = run(*command, "--data-dir", tmp_path / "d")
    assert result.exit_code == 1
    assert "restore a backup" in result.output
    assert "Traceback" not in result.output
