"""Official SDKs for Node, unmodified, as clients of the gateway.

The scripts in ``node/`` hold the tests; node's own runner runs them. The SDKs are installed once into a cache outside
the tree, from a lock file that names versions and hashes but no registry.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import KEY, KINDS
from tests.gateway.stage import Stage

SCRIPTS = Path(__file__).parent / "node"
LOCKED = ("package.json", "package-lock.json")
OLDEST_NODE = 20
PATIENCE_S = 300


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder ``node_modules``; without node, npm or a registry the tests are skipped and say so."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (make setup-system)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version.strip()} is older than {OLDEST_NODE}")
    content = b"".join((SCRIPTS / name).read_bytes() for name in LOCKED)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dragoman-tests"
    cache = caches / f"node-{hashlib.sha256(content).hexdigest()[:16]}"
    if not cache.is_dir():
        caches.mkdir(parents=True, exist_ok=True)
        _install(cache)
    return cache / "node_modules"


def _install(cache: Path) -> None:
    """All of it or nothing: installed beside, then renamed."""
    with tempfile.TemporaryDirectory(dir=cache.parent) as beside:
        folder = Path(beside) / "sdk"
        folder.mkdir()
        for name in LOCKED:
            shutil.copy(SCRIPTS / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot install the SDK: {done.stderr[-500:]}")
        folder.rename(cache)


@pytest.fixture(scope="module")
def folder(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts, beside what they import."""
    folder = tmp_path_factory.mktemp("node")
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(modules)
    return folder


def run(script: str, folder: Path, about: dict[str, str]) -> tuple[int, str]:
    """How many tests of a script passed, none having failed, and all that node says."""
    vendors = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "AWS_", "CO_", "MISTRAL_", "OLLAMA_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(vendors)} | about
    command = ["node", "--test", "--test-reporter=tap", script]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None
    return int(passed[1]), done.stdout


@pytest.mark.parametrize(("script", "count"), [("chat", 9), ("tools", 5), ("errors", 24)])
def test_openai_s(stage: Stage, folder: Path, script: str, count: int) -> None:
    about = {
        "DRAGOMAN_BASE_URL": stage.base_url,
        "DRAGOMAN_KEY": stage.key,
        "DRAGOMAN_NARROW_KEY": stage.narrow_key,
    }
    passed, said = run(f"{script}.test.mjs", folder, about)
    assert passed == count, said
    if script == "errors":
        assert_left_nothing_behind(stage)


# Eight APIs of vendors, and four of Vercel's, each before providers of every dialect; invocations of Bedrock are of
# Claude, which the provider of Converse is not.
@pytest.mark.parametrize(("script", "count"), [("dialects", 8 * len(KINDS) - 1), ("vercel", 4 * len(KINDS))])
def test_vendors_before_every_dialect(polyglot: Gateway, folder: Path, script: str, count: int) -> None:
    root = polyglot.base_url.removesuffix("/v1")
    about = {"DRAGOMAN_ROOT": root, "DRAGOMAN_KEY": KEY, "DRAGOMAN_MODELS": ",".join(KINDS)}
    passed, said = run(f"{script}.test.mjs", folder, about)
    assert passed == count, said


def assert_left_nothing_behind(stage: Stage) -> None:
    """Whatever the script left was cancelled at the provider, and nothing was sent more often than it should be."""
    for model in ("drip@node", "stall@node-sdk", "stall@node-deadline", "stall@node-left"):
        (sent,) = stage.seen(model)
        assert stage.closed(sent), model
    assert len(stage.seen("status-500@node-retried")) == 2


def test_the_lock_names_no_registry() -> None:
    lock = (SCRIPTS / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == len(re.findall(r'"node_modules/', lock))
