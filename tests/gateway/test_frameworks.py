"""Agent frameworks, unmodified: a loop with a tool, each before providers of every dialect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.gateway.frameworks import FRAMEWORKS
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import KEY, KINDS
from tests.gateway.speakers import PLACE, TEXT

PATIENCE_S = 300


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_tool_loop(polyglot: Gateway, framework: str) -> None:
    root = polyglot.base_url.removesuffix("/v1")
    command = [sys.executable, "-W", "ignore", "-m", "tests.gateway.frameworks", framework, root, KEY]
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    loops = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    clients = FRAMEWORKS[framework][1]
    assert loops == [[client, model, [PLACE["city"]], TEXT] for client in clients for model in KINDS]
