from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dragoman.audit.content import Contents
from dragoman.audit.subjects import Subjects
from dragoman.audit.trail import Trail
from dragoman.config.auditing import Audit
from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store, open_store

SEED = b"s" * 32
SEALING_KEY = b"k" * 32

Begin = Callable[..., Trail]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Settings(data_dir=str(tmp_path / "data")), {}, role="server")
    yield opened
    opened.close()


@pytest.fixture
def subjects(tmp_path: Path) -> Iterator[Subjects]:
    opened = Subjects(tmp_path, SEALING_KEY)
    yield opened
    opened.close()


@pytest.fixture
def contents(store: Store) -> Iterator[Contents]:
    kept = Contents(store.engine)
    yield kept
    kept.close()


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begins a chain in the test's directory."""
    return lambda **fields: Trail(Audit(**fields), tmp_path, SEED)
