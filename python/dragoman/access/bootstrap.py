"""The first admin key: made at the first start, printed once, good for the admin API alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dragoman.access.stored import BOOTSTRAP, create_key
from dragoman.config.schema import Key
from dragoman.errors import NameTaken
from dragoman.store.meta import read_meta, write_meta

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DONE = "bootstrap"


def bootstrap(engine: Engine, pepper: bytes) -> str:
    """The secret of the first admin key; empty, where there was a start before.

    Raises:
        StoreError: it cannot be stored.
    """
    with engine.connect() as connection:
        if read_meta(connection, _DONE):
            return ""
    key = Key(name=BOOTSTRAP, admin=True, surfaces=("admin",))
    try:
        made = create_key(engine, pepper, key, now_ms=time.time_ns() // 1_000_000)
    except NameTaken:
        return ""  # another was faster
    with engine.begin() as connection:
        write_meta(connection, _DONE, made.key.id)
    return made.secret
