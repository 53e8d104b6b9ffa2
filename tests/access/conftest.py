from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.access.provider import Provider

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Settings(data_dir=str(tmp_path / "data")), {}, role="server")
    yield opened
    opened.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """An issuer of tokens."""
    with Provider() as started:
        yield started
