"""A document as a tree that remembers its lines, and the faults found in it.

Neither parser gives what is needed. PyYAML's loaders lose the lines, let a later duplicate key win, and their composer
recurses in C, so that a file of 100,000 brackets ends the process; hence YAML is built here from parser events, without
recursion. Scalars are YAML 1.2's: ``no`` and ``1:30`` are strings. ``tomllib`` gives plain values without lines.

Three limits hold for both: the bytes of a file, the depth, and the nodes *after* aliases are expanded (a "billion
laughs" file has nine lines and 10^9 nodes; each node knows the size of its subtree, so it is refused in nine steps).
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import TypeAlias

import yaml
from msgspec import Struct

from dragoman.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 200_000
MAX_PROBLEMS = 100
MAX_HINTS = 20

Scalar: TypeAlias = str | int | float | bool | None
Path: TypeAlias = tuple[str | int, ...]


class Node(Struct, frozen=True):
    """One value of the document; ``line`` is 0 where the parser does not tell it."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int = 0
    size: int = 1
    key_lines: dict[str, int] = {}


class Malformed(Exception):
    """The text is no document of its format."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class Problems:
    """The faults of one file, each with its line and field, collected so that all are reported at once."""

    def __init__(self, source: str, root: Node) -> None:
        self._source = source
        self._root = root
        self._found: list[tuple[int, str]] = []
        self._holes: set[Path] = set()
        self._hints = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, message: str) -> None:
        """Record a fault of the field at ``path``, unless it only follows from a value that was not readable."""
        if any(path[:end] in self._holes for end in range(len(path) + 1)):
            return
        line = self._line(path)
        where = f"{self._source}:{line}" if line else self._source
        field = render(path)
        self._found.append((line, f"{where}: {field}: {message}" if field else f"{where}: {message}"))

    def add_hole(self, path: Path, message: str) -> None:
        """Record a value that could not be read: what is later found wrong with it is a consequence."""
        self.add(path, message)
        self._holes.add(path)

    def spell(self, path: Path, value: str) -> str:
        """A value as a message may show it: as written, so that a substituted secret never appears."""
        node = self._at(path)
        written = node.value if node is not None and isinstance(node.value, str) and "${" in node.value else value
        return f'"{written}"' if written.isprintable() else ascii(written)

    def hint(self, word: str, names: Iterable[str]) -> str:
        """The nearest right name, as :func:`nearest` says it; after some it says nothing, for looking takes time."""
        self._hints += 1
        return nearest(word, names) if self._hints <= MAX_HINTS else ""

    def raise_if_any(self) -> None:
        """Raise :class:`ConfigError` with every fault, in the order of the file."""
        if not self._found:
            return
        lines = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        if len(lines) > MAX_PROBLEMS:
            lines = [*lines[:MAX_PROBLEMS], f"{self._source}: and {len(lines) - MAX_PROBLEMS} more"]
        raise ConfigError(lines)

    def _at(self, path: Path) -> Node | None:
        node = self._root
        for step in path:
            inner = _child(node, step)
            if inner is None:
                return None
            node = inner
        return node

    def _line(self, path: Path) -> int:
        """The line of the field, or of the nearest thing around it that is in the file."""
        node, line = self._root, 0 if path else self._root.line
        for step in path:
            inner = _child(node, step)
            if inner is None:
                break
            line = node.key_lines.get(str(step), inner.line)
            node = inner
        return line


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(str(step))
    if isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def render(path: Path) -> str:
    """A path as people write it: ``keys[0].name``, ``routes."gpt-4.1".tiers``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[\w/:-]+", step) else f'"{step}"' if step.isprintable() else ascii(step)
            text += f".{name}" if text else name
    return text


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean "..."?`` when one of the names is close, else nothing."""
    candidates = list(islice(names, 1000))
    folded = {name.casefold(): name for name in candidates}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


def read_toml(text: str) -> Node:
    """The tree of a TOML document."""
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        line = re.search(r"\(at line (\d+)", str(fault))
        raise Malformed(re.sub(r" \(at .*\)", "", str(fault)), int(line[1]) if line else 0) from None
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH}") from None
    return _from_plain(plain, 0)


def _from_plain(value: object, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Malformed(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        table = {str(name): _from_plain(inner, depth + 1) for name, inner in value.items()}
        return _sized(table, 0)
    if isinstance(value, list):
        return _sized([_from_plain(inner, depth + 1) for inner in value], 0)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return Node(value.isoformat())
    assert value is None or isinstance(value, (str, int, float, bool))  # noqa: S101 - all that TOML has
    return Node(value)


def _sized(value: dict[str, Node] | list[Node], line: int, key_lines: dict[str, int] | None = None) -> Node:
    inner = value.values() if isinstance(value, dict) else value
    size = 1 + sum(node.size for node in inner)
    if size > MAX_NODES:
        raise Malformed(f"more than {MAX_NODES} values (aliases counted each time)", line)
    return Node(value, line, size, key_lines or {})


def read_yaml(text: str) -> Node:
    """The tree of a YAML document; an empty one is an empty mapping."""
    builder = _YamlBuilder()
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 0
        reason = fault.problem or "not YAML"
        if "${" in "".join(text.splitlines()[line - 1 : line]):
            reason += '; within { } or [ ] put "${...}" in quotes'
        raise Malformed(reason, line) from None
    except (yaml.YAMLError, RecursionError):
        raise Malformed("not YAML: a character that is not allowed, or nested too deep") from None
    return builder.root or Node({}, 1)


class _Open(Struct):
    """A mapping or sequence whose end has not been read."""

    line: int
    anchor: str | None
    items: list[Node] = []
    table: dict[str, Node] | None = None  # None: a sequence
    key_lines: dict[str, int] = {}
    merged: list[Node] = []
    key: str | None = None
    key_line: int = 0


class _YamlBuilder:
    """Builds the tree from parser events with a stack of its own."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Malformed("a second document begins here; one file is one document", line)
            case yaml.MappingStartEvent():
                self._open(event, _Open(line, event.anchor, table={}))
            case yaml.SequenceStartEvent():
                self._open(event, _Open(line, event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event.anchor or "", line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case _:
                pass

    def _open(self, event: yaml.CollectionStartEvent, opened: _Open) -> None:
        _refuse_tag(event.tag, opened.line)
        if len(self._stack) >= MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH}", opened.line)
        if self._stack and self._expects_key():
            raise Malformed("a mapping's key must be text", opened.line)
        self._stack.append(opened)

    def _close(self) -> None:
        done = self._stack.pop()
        if done.table is None:
            node = _sized(done.items, done.line)
        else:
            for source in done.merged:
                assert isinstance(source.value, dict)  # noqa: S101 - checked when it was taken
                for name, inner in source.value.items():
                    if name not in done.table:
                        done.table[name] = inner
                        done.key_lines[name] = source.key_lines.get(name, inner.line)
            node = _sized(done.table, done.line, done.key_lines)
        self._place(node, done.anchor)

    def _alias(self, anchor: str, line: int) -> None:
        if any(opened.anchor == anchor for opened in self._stack):
            raise Malformed(f"*{anchor} stands inside what it names", line)
        if anchor not in self._anchors:
            raise Malformed(f"*{anchor} names nothing that came before", line)
        if self._stack and self._expects_key():
            raise Malformed("a mapping's key must be text", line)
        self._place(self._anchors[anchor], None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        _refuse_tag(event.tag, line)
        if self._stack and self._expects_key():
            self._key(event.value, line)
            return
        plain = bool(event.implicit[0])
        self._place(Node(plain_scalar(event.value) if plain else event.value, line), event.anchor)

    def _expects_key(self) -> bool:
        return self._stack[-1].table is not None and self._stack[-1].key is None

    def _key(self, name: str, line: int) -> None:
        opened = self._stack[-1]
        if name in opened.key_lines and name != "<<":
            first = opened.key_lines[name]
            raise Malformed(f'"{name}" is here twice: first on line {first}', line)
        opened.key, opened.key_line = name, line
        opened.key_lines[name] = line

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        opened = self._stack[-1]
        if opened.table is None:
            opened.items.append(node)
            return
        name, opened.key = opened.key or "", None
        if name == "<<":
            opened.merged += _merge_sources(node, opened.key_line)
        else:
            opened.table[name] = node


def _merge_sources(node: Node, line: int) -> list[Node]:
    sources = node.value if isinstance(node.value, list) else [node]
    if not all(isinstance(source.value, dict) for source in sources):
        raise Malformed("<< takes a mapping, or a list of mappings", line)
    return sources


def _refuse_tag(tag: str | None, line: int) -> None:
    if tag not in (None, "!", "tag:yaml.org,2002:str"):
        raise Malformed(f"the tag {tag} is not read here", line)


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def plain_scalar(text: str) -> Scalar:
    """What an unquoted scalar stands for by YAML 1.2's core schema (without ``.inf`` and ``.nan``)."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 40 and _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text
