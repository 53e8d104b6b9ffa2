"""The shape of the sources, held by force: sizes, directions of import, names, and a test beside every module.

Reads the sources and imports nothing of ours, so it holds before anything is built.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "dragoman"
TESTS = ROOT / "tests"

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

# What is no code to read, each with its reason.
LONG_FILES = {"python/dragoman/_core.pyi": "the stub is the extension's documentation, and a module has one stub"}

# A table of data is no function to read; each stands here with its reason.
LONG_FUNCTIONS: dict[str, str] = {}

# A module may import from its own layer and those below. What only a type checker reads makes no order: not counted.
LAYERS = (
    {"cli", "__main__"},
    {"express", "gateway", "server"},
    {"endpoints"},
    {"pipeline", "realtime", "settings"},
    {"access", "ledger", "guardrails", "cache", "routing", "mcp", "agents"},
    {"dialects", "identity", "providers", "usage", "audit", "store", "rehearsal"},
    {"core", "config", "driver", "errors", "telemetry"},
    {"_core"},
)

# Modules without a test of their own name, each with its reason.
UNTESTED = {
    "__init__.py": "the version, read by tests/cli/test_main.py",
    "__main__.py": "three lines; run by tests/cli/test_main.py",
    "core.py": "names the extension's classes; tests/core holds a test for each",
    "cli/__init__.py": "tests/cli/test_main.py",
    "guardrails/guard.py": "types alone; every guardrail is one",
    "dialects/canonical.py": "types alone; every dialect's tests are about them",
    "dialects/dialect.py": "types alone; every dialect is one",
    "server/websocket.py": "granian's; tests/realtime/test_session.py talks through it",
}

# What a dialect's package is used by; its modules are how it does that, and are tested by it.
DOORS = ("requests", "answers", "streams")

FORBIDDEN_NAMES = {
    "utils",
    "util",
    "common",
    "helpers",
    "manager",
    "handler",
    "service",
    "processor",
    "misc",
    "base",
    "v2",
}
FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError|unimplemented!|todo!)")
PROVIDERS = {"openai", "anthropic", "gemini", "groq", "mistral", "deepseek", "azure", "bedrock", "openrouter", "xai"}


def sources(*suffixes: str) -> list[Path]:
    """Our own files of those suffixes."""
    folders = (ROOT / name for name in ("python", "tests", "benches", "rust"))
    found = (path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)
    return sorted(path for path in found if not {"target", "node_modules"} & set(path.parts))


def modules() -> list[Path]:
    """The package's modules."""
    return sorted(PACKAGE.rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), shown(path))


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in sources(".py", ".pyi", ".rs")}
    long = {name: length for name, length in lengths.items() if length > MAX_FILE_LINES and name not in LONG_FILES}
    assert long == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{shown(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in sources(".py")
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    too_long = {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES}
    assert too_long.keys() - LONG_FUNCTIONS.keys() == set()
    assert LONG_FUNCTIONS.keys() - too_long.keys() == set(), "an exemption that is no longer needed"


def test_names_say_something() -> None:
    named = [path for path in (*sources(".py", ".rs"), *PACKAGE.iterdir()) if path.stem in FORBIDDEN_NAMES]
    assert [shown(path) for path in named] == []


def test_nothing_is_left_to_do() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in sources(".py", ".pyi", ".rs", ".toml")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if FORBIDDEN_WORDS.search(line)
    ]
    assert found == []


def layer(part: str) -> int:
    return next(place for place, names in enumerate(LAYERS) if part in names)


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for inner in ast.iter_child_nodes(node):
        yield from at_run_time(inner)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Each part of the package that a module imports, with the line; relative imports are not used here."""
    for node in at_run_time(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "dragoman" and len(parts) > 1 and not parts[1].startswith("__"):
                yield node.lineno, parts[1]


def part_of(path: Path) -> str:
    """The part of the package that a module belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def test_every_part_has_its_layer() -> None:
    parts = {part_of(path) for path in modules()} - {"__init__"}
    assert parts - set().union(*LAYERS) == set()


def test_imports_run_one_way() -> None:
    upward = [
        f"{shown(path)}:{line}: {part_of(path)} imports {part}"
        for path in modules()
        if part_of(path) != "__init__"
        for line, part in imported(path)
        if layer(part) < layer(part_of(path))
    ]
    assert upward == []


def test_only_core_touches_the_extension() -> None:
    assert [
        shown(path) for path in modules() if path.name != "core.py" and "_core" in dict(imported(path)).values()
    ] == []


def test_only_the_server_and_the_rehearsal_know_granian() -> None:
    knowing = {
        part_of(path)
        for path in modules()
        for node in ast.walk(parsed(path))
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else []
        )
        if name.split(".")[0] == "granian"
    }  # fmt: skip
    assert knowing <= {"server", "rehearsal"}


def is_only_prose(path: Path) -> bool:
    """Whether a module holds nothing but its docstring."""
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in parsed(path).body)


def test_every_module_has_its_test() -> None:
    missing = []
    for path in modules():
        name = path.relative_to(PACKAGE)
        if str(name) in UNTESTED or "versions" in name.parts or (name.name == "__init__.py" and is_only_prose(path)):
            continue
        mirrored = (TESTS / name.parent / f"test_{name.name}").is_file()
        through_doors = is_in_dialect(path) and all((TESTS / name.parent / f"test_{d}.py").is_file() for d in DOORS)
        if not mirrored and not through_doors:
            missing.append(str(name))
    assert missing == []


def is_in_dialect(path: Path) -> bool:
    """Whether a module is of a package that is one dialect."""
    package = path.parent / "__init__.py"
    return path.parent.parent.name == "dialects" and "DIALECT = " in package.read_text()


def test_no_exemption_is_stale() -> None:
    for name in UNTESTED:
        assert (PACKAGE / name).is_file(), name
        assert not (TESTS / Path(name).parent / f"test_{Path(name).name}").is_file(), name


def test_no_provider_is_named_in_a_condition() -> None:
    named = [
        f"{shown(path)}:{node.lineno}"
        for path in modules()
        if part_of(path) != "providers"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value in PROVIDERS
    ]
    assert named == []


def public(body: list[ast.stmt]) -> set[str]:
    """The public names that a stub defines."""
    names = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))}
    names |= {node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_core_gives_what_the_stub_says() -> None:
    stub, core = PACKAGE / "_core.pyi", PACKAGE / "core.py"
    listed = next(
        ast.literal_eval(node.value)
        for node in parsed(core).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) == public(parsed(stub).body)
    assert "Any" not in {node.id for node in ast.walk(parsed(stub)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", ["Cargo.toml", "pyproject.toml", "Makefile", "LICENSE", ".ci/run"])
def test_the_top_is_as_drawn(path: str) -> None:
    assert (ROOT / path).is_file()
