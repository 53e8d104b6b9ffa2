from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Served

Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves a configuration."""
    with contextlib.ExitStack() as stack:
        yield lambda config: stack.enter_context(Served(config, tmp_path))


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    """Serves the scripted provider, without keys."""
    config: dict[str, Any] = config_for(upstream.base_url)
    return serve(config)
