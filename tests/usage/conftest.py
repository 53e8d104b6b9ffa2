from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store, open_store
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path / "data"))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {}, role="server")
    yield opened
    opened.close()


@pytest.fixture
def make_row() -> MakeRow:
    numbers = itertools.count()

    def make(**fields: object) -> UsageRow:
        number = next(numbers)
        common: dict[str, object] = {
            "request_id": f"req-{number}",
            "started_at_ms": 4_000_000_000_000 + number,  # never too old to be kept
            "snapshot": 1,
            "endpoint": "chat",
            "status": 200,
        }
        return UsageRow(**common | fields)  # type: ignore[arg-type]

    return make
