from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store, open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path / "data"))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {}, role="server")
    yield opened
    opened.close()
