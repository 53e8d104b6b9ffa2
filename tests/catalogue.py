"""Which test shows which row of the catalogue of faults, and how many rows there are none for.

The rows are in ``catalogue.toml``. Names of tests are looked up in their files, without importing them.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).with_suffix(".toml")
LISTED = {"N": range(1, 19), "S": range(1, 19), "P": range(9, 22), "X": (*range(1, 19), *range(26, 34))}
"""The rows that are asked for, by their group."""
RUST_TEST = re.compile(r"#\[(?:tokio::)?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)\(")


class Row(Struct, forbid_unknown_fields=True):
    """One fault."""

    expected: str
    tests: list[str]
    open: str = ""
    """What of it is not shown, and why."""

    @property
    def passes(self) -> bool:
        """Whether all of it is shown."""
        return bool(self.tests) and not self.open


def rows() -> dict[str, Row]:
    """The catalogue, in its order."""
    return convert(tomllib.loads(FILE.read_text("utf-8")), dict[str, Row])


def ids() -> list[str]:
    """What the catalogue has to have."""
    return [f"{group}{number}" for group, numbers in LISTED.items() for number in numbers]


@cache
def named_in(path: str) -> frozenset[str]:
    """The tests of a file; none, where there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    source = file.read_text("utf-8")
    if file.suffix == ".rs":
        return frozenset(RUST_TEST.findall(source))
    functions = (node for node in ast.parse(source, path).body if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def missing(row: Row) -> list[str]:
    """Those of a row's tests that there are not."""
    split = (test.partition("::") for test in row.tests)
    return [path + "::" + name for path, _, name in split if name not in named_in(path)]


def lines(catalogue: dict[str, Row]) -> Iterator[str]:
    """How many rows pass, and the rest by name."""
    passed = sum(row.passes for row in catalogue.values())
    yield f"{passed} / {len(catalogue)} rows of the catalogue are shown by tests."
    for name, row in catalogue.items():
        if not row.passes:
            yield f"{name:4} {'in part' if row.tests else 'not'}: {row.expected} ({row.open})"


def main(names: Sequence[str]) -> int:
    """Print it; with names of rows, the tests of these."""
    catalogue = rows()
    found = [test for name in names for test in catalogue[name].tests] if names else lines(catalogue)
    sys.stdout.write("\n".join(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
