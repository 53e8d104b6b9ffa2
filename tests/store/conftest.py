from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.config.schema import Store as Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path / "data"))
