"""The configuration as the server, its reload and every command see it.

The only place that joins the three: the file, the catalogue of providers, and what a virtual key must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dragoman.access.declared import declared_principals
from dragoman.config.load import Overrides, load_config
from dragoman.config.schema import Config, Key
from dragoman.errors import ConfigError
from dragoman.providers.catalogue import rows

USUAL_FILE = Path("dragoman.yaml")


def find_config(given: Path | None) -> Path | None:
    """The file to read: the one given, else ``./dragoman.yaml`` if there is one."""
    return given or (USUAL_FILE if USUAL_FILE.exists() else None)


def load_settings(
    path: Path | None, environ: Mapping[str, str], overrides: Overrides | None = None, stored: str = ""
) -> Config:
    """The whole configuration, filled in and checked. Raises :class:`ConfigError` with every fault found.

    :param stored: what the database has in the place of the file's sections.
    """
    return load_config(path, environ, overrides=overrides, kinds=rows(), check_key=check_key, stored=stored)


def check_key(key: Key) -> list[str]:
    """What is wrong with a key that the file declares."""
    try:
        declared_principals([key], bytes(32))  # any pepper: nothing is looked up
    except ConfigError as fault:
        return [problem.removeprefix(f"keys: {key.name}: ") for problem in fault.problems]
    return []
