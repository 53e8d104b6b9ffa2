"""What tests of several parts share: the recorded data, a scripted provider, and the gateway as a process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import Upstream
from tests.store.valkey import new_prefix, server

if TYPE_CHECKING:
    from tests.served import Serve, Served

    from dragoman.core import Redis

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data; a test that asks for it skips, saying so, where there is none."""
    folder = Path(os.environ.get("DRAGOMAN_RECORDED", ROOT.parent / "shared" / "recorded"))
    if not folder.is_dir():
        pytest.skip(f"the recorded data is not at {folder} (set DRAGOMAN_RECORDED)")
    return folder


@pytest.fixture
def say(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Shows lines to whoever runs the tests, whatever comes of them."""
    terminal: Any = request.config.pluginmanager.get_plugin("terminalreporter")

    def show(text: str) -> None:
        with capsys.disabled():
            terminal.write_line("")
            for line in text.splitlines():
                terminal.write_line(line)

    return show


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valkey or Redis."""
    with server(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def redis(valkey: str) -> Redis:
    """That server, with keys of this test's own."""
    from dragoman.core import Redis  # it needs what is built; the tests of the layout do not

    connected = Redis(valkey, prefix=new_prefix(), timeout_s=1)
    assert connected.ready(10)
    return connected


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider that does what it is told."""
    with Upstream() as started:
        yield started


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Gateway]]:
    """Starts gateways: call it with a configuration. All are stopped at the end, and must stop cleanly."""
    with contextlib.ExitStack() as stack:

        def start(config: dict[str, Any]) -> Gateway:
            directory = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}"
            directory.mkdir()
            return stack.enter_context(Gateway(config, directory))

        yield start


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Serves a configuration within this process; where tests are marked ``fronted``, behind its front."""
    from tests.fronted import Fronted  # they need what is built; the tests of the layout do not
    from tests.served import Served

    kind = Fronted if request.node.get_closest_marker("fronted") else Served
    with contextlib.ExitStack() as stack:
        yield lambda config: stack.enter_context(kind(config, tmp_path))


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    """Serves the scripted provider within this process, without keys."""
    return serve(config_for(upstream.base_url))
