from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from tests.store import postgres

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A PostgreSQL."""
    with postgres.server(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture
def url(server: URL) -> Iterator[str]:
    """An empty database of it."""
    with postgres.database(server) as address:
        yield address
