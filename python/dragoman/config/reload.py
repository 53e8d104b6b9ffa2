"""A new configuration when the file changes, beside the one in use.

The file's stat is looked at once a second: no inotify, because a mounted ConfigMap changes by a symlink and an editor
by a rename, which a stat through the path sees and a watch on the inode does not. A change counts once two looks agree,
so a file that is being written is not read half way. What goes wrong is told to ``on_problems`` and changes nothing;
nothing but cancellation ends :meth:`ConfigWatcher.run`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dragoman.config.schema import Config
from dragoman.errors import ConfigError, DragomanError

Signature: TypeAlias = tuple[int, int, int] | None

POLL_S = 1.0
SETTLE_S = 0.2


class ConfigWatcher:
    """Watches ``path`` and hands each good configuration to ``on_config``, each bad one's faults to ``on_problems``.

    ``load`` reads the whole configuration, as at the start. ``on_config`` may itself raise :class:`DragomanError`, when
    nothing can be built from the configuration: that too is reported as its fault. ``current`` is the one in use, so
    that a file which only looks new is not a new configuration; None on a start without a file.
    """

    def __init__(
        self,
        path: Path | None,
        load: Callable[[], Config],
        on_config: Callable[[Config], None],
        on_problems: Callable[[list[str]], None],
        current: Config | None = None,
    ) -> None:
        self._path = path
        self._load = load
        self._on_config = on_config
        self._on_problems = on_problems
        self._current = current
        self._loaded = self._signature()
        self._seen = self._loaded
        self._failed = False
        self._asked = asyncio.Event()

    def trigger(self) -> None:
        """Load now, changed or not: what SIGHUP asks for (a secret's file or the catalogue may have changed)."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        wait_s = POLL_S
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
                self._asked.clear()
                self.load_now()
            except TimeoutError:
                wait_s = SETTLE_S if self.look() else POLL_S

    def look(self) -> bool:
        """Load if the file has changed and is at rest; true while it is not at rest."""
        signature = self._signature()
        if signature != self._seen:
            self._seen = signature
            return True
        if signature != self._loaded:
            self.load_now()
        return False

    def load_now(self) -> None:
        """Load, and call back with what came of it."""
        self._loaded = self._seen = self._signature()
        try:
            self._check_content()
            config = self._load()
            if config == self._current and not self._failed:
                return
            self._on_config(config)
        except ConfigError as fault:
            self._report(fault.problems)
        except (DragomanError, OSError, ValueError, RuntimeError, MemoryError) as fault:
            self._report([f"{self._path}: {type(fault).__name__}: {fault}"])
        else:
            self._current = config
            self._failed = False

    def _check_content(self) -> None:
        """Refuse an empty file. At a start it stands for the defaults; later for one that is about to be written."""
        if self._path is not None and not self._path.read_bytes().strip():
            raise ConfigError([f"{self._path}: the file is empty"])

    def _report(self, problems: list[str]) -> None:
        self._failed = True
        self._on_problems(problems)

    def _signature(self) -> Signature:
        """What changes when the file does; None when it is not there, or was never asked for."""
        if self._path is None:
            return None
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_ino, stat.st_size)
