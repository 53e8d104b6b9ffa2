"""What the tests with official SDKs share: one gateway, set up once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.stage import Stage, running


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before the rehearsal and a scripted provider."""
    yield from running(tmp_path_factory.mktemp("stage"))
