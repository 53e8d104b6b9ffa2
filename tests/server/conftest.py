"""What tests of the wire share: two gateways, one of them in haste, and what must hold after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.desk import Desk
from tests.gateway.gateway import Gateway
from tests.gateway.upstream import Upstream, expect
from tests.server.front import HASTE, running, speak


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Upstream]]:
    yield from running(tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Upstream]]:
    yield from running(tmp_path_factory.mktemp("hasty"), **HASTE)


def seated(started: tuple[Gateway, Upstream]) -> Iterator[Desk]:
    desk = Desk(*started)
    desk.play(expect, speak)
    yield desk
    desk.at_rest()


@pytest.fixture
def desk(calm: tuple[Gateway, Upstream]) -> Iterator[Desk]:
    """A gateway for one test, after which it must be at rest."""
    yield from seated(calm)


@pytest.fixture
def brisk(hasty: tuple[Gateway, Upstream]) -> Iterator[Desk]:
    """One that does not wait for long."""
    yield from seated(hasty)
