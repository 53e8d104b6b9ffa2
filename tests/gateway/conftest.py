"""What tests with clients share: one gateway for the official SDKs, and a voice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway import desk as desks
from tests.gateway import polyglot as polyglots
from tests.gateway.desk import Desk
from tests.gateway.gateway import Gateway
from tests.gateway.stage import Stage, running
from tests.gateway.upstream import Upstream


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before the rehearsal and a scripted provider."""
    yield from running(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Upstream]]:
    """A gateway with narrow limits, and its provider."""
    yield from desks.running(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="session")
def polyglot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before providers of every dialect."""
    yield from polyglots.running(tmp_path_factory.mktemp("polyglot"))


@pytest.fixture
def desk(narrow: tuple[Gateway, Upstream]) -> Iterator[Desk]:
    """That gateway for one test, after which it must be at rest."""
    desk = Desk(*narrow)
    yield desk
    desk.at_rest()
