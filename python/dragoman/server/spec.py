"""What the supervisor tells its worker."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from dragoman.config.load import Overrides
from dragoman.config.schema import Config
from dragoman.settings import load_settings

SPEC_VARIABLE = "DRAGOMAN_WORKER"


class WorkerSpec(Struct, frozen=True, kw_only=True):
    """Where to listen, and where the configuration is."""

    config_path: str | None
    overrides: Overrides
    address: str
    port: int
    log_level: str
    admin_address: str = ""
    admin_port: int = 0  # 0: the admin API is not served
    # Of the provider that needs no network: a worker may be asked by another.
    rehearsal_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    # Tells what workers have written down from what those of an earlier start have.
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def path(self) -> Path | None:
        """The configuration's file."""
        return Path(self.config_path) if self.config_path else None

    def load(self, environ: Mapping[str, str], stored: str = "") -> Config:
        """The configuration as it is now.

        :param stored: what the database has in the place of the file's sections.

        Raises:
            ConfigError: it cannot be used.
        """
        return load_settings(self.path, environ, self.overrides, stored)
