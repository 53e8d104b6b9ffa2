"""A file, the environment and the command line into one :class:`Config`, or every reason why not.

This layer knows neither the catalogue of providers nor how virtual keys are made: both are passed in, ``kinds`` and
``check_key``. Without them (a command that only wants to know where the database is) what they would check is left
unchecked and providers are as the file has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, convert
from msgspec.structs import asdict, replace

from dragoman.config.check import KeyCheck, check
from dragoman.config.convert import convert as convert_tree
from dragoman.config.environ import Substitution
from dragoman.config.resolve import Kind, resolve
from dragoman.config.schema import Config, Server
from dragoman.config.tree import MAX_BYTES, Malformed, Node, Problems, read_toml, read_yaml
from dragoman.errors import ConfigError

STORED = "stored configuration"
STORED_SECTIONS = (
    *("defaults", "providers", "deployments", "routes", "prompts", "cache", "guardrails"),
    *("limits", "queue", "ledger", "identity"),
)
"""What a configuration in the database may say. Where it listens, and where the database is, a file alone says."""


class Overrides(Struct, frozen=True, kw_only=True):
    """What the command line says instead of the file; None: nothing."""

    host: str | None = None
    port: int | None = None
    log_level: str | None = None
    data_dir: str | None = None


def load_config(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    overrides: Overrides | None = None,
    kinds: Mapping[str, Kind] | None = None,
    check_key: KeyCheck | None = None,
    stored: str = "",
) -> Config:
    """The configuration in ``path``, or with None that of an empty file, checked as a whole.

    :param stored: YAML whose sections take the place of the file's; it came from the database.

    Raises :class:`ConfigError` with every fault found.
    """
    source = str(path) if path else "environment"
    root = read_file(path) if path else Node({})
    if stored:
        source, root = STORED, _laid_over(root, _read_stored(stored))
    problems = Problems(source, root)
    folder = path.parent if path else Path()
    config = convert_tree(root, Config, Substitution(environ, folder), problems)
    if overrides is not None:
        config = apply_overrides(config, overrides)
    if kinds is not None:
        config = resolve(config, kinds, environ, problems)
    check(config, problems, check_key)
    problems.raise_if_any()
    return config


def _read_stored(text: str) -> Node:
    if len(text) > MAX_BYTES:
        raise ConfigError([f"{STORED}: is over {MAX_BYTES} bytes"])
    try:
        root = read_yaml(text)
    except Malformed as fault:
        raise ConfigError([f"{STORED}:{fault.line or ''}: {fault}"]) from None
    if not isinstance(root.value, dict):
        raise ConfigError([f"{STORED}: expected a mapping of sections"])
    others = sorted(root.value.keys() - set(STORED_SECTIONS))
    if others:
        known = ", ".join(STORED_SECTIONS)
        raise ConfigError([f"{STORED}: {others[0]}: only a file says this; stored are {known}"])
    return root


def _laid_over(root: Node, stored: Node) -> Node:
    below = root.value if isinstance(root.value, dict) else {}
    above = stored.value if isinstance(stored.value, dict) else {}
    return Node(below | above)


def apply_overrides(config: Config, overrides: Overrides) -> Config:
    """The configuration with what the command line says."""
    said = {name: value for name, value in asdict(overrides).items() if value is not None}
    data_dir = said.pop("data_dir", config.store.data_dir)
    server = convert(asdict(replace(config.server, **said)), Server)
    return replace(config, server=server, store=replace(config.store, data_dir=data_dir))


def read_file(path: Path) -> Node:
    """A YAML or TOML file as a tree.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError([f"{path}: is not a file"])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise ConfigError([f"{path}: cannot be read: {fault.strerror}"]) from None
    if len(content) > MAX_BYTES:
        raise ConfigError([f"{path}: is over {MAX_BYTES} bytes"])
    try:
        text = content.decode("utf-8-sig")
        return read_toml(text) if path.suffix.lower() == ".toml" else read_yaml(text)
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text"]) from None
    except Malformed as fault:
        where = f"{path}:{fault.line}" if fault.line else str(path)
        raise ConfigError([f"{where}: {fault}"]) from None
