"""Who comes in: by a key, a token of an issuer, or, to the admin API, a session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dragoman.access.issuers import Issuers
from dragoman.access.keys import KeyRing
from dragoman.access.sessions import SESSION_PREFIX, Sessions
from dragoman.access.tokens import Tokens
from dragoman.config.check import is_loopback

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from sqlalchemy import Engine

    from dragoman.access.principal import Principal
    from dragoman.config.schema import Config
    from dragoman.core import Upstream


class Entrance:
    """All that somebody may be known by.

    Raises ``StoreError`` or ``ConfigError`` when keys cannot be loaded, or tokens not be looked at.
    """

    def __init__(
        self, engine: Engine, pepper: bytes, config: Config, upstream: Upstream, loop: AbstractEventLoop
    ) -> None:
        self.keys = KeyRing(engine, pepper, config.keys, loopback=is_loopback(config.server.host))
        self.tokens = Tokens()
        self.issuers = Issuers(self.tokens, upstream, loop)
        self.sessions = Sessions(engine, pepper, config.identity.login)
        self.declare(config)

    def declare(self, config: Config) -> None:
        """Put a configuration's keys and issuers in force. Raises ``ConfigError``, for bad ones."""
        self.issuers.replace(config.identity)
        self.sessions.login = config.identity.login
        self.keys.declare(config.keys, has_issuers=bool(config.identity.issuers))

    def find(self, secret: str, client: str) -> Principal | None:
        """Whose a key or a token is, used from an address; ``None``: nobody's.

        Raises:
            Unauthenticated: it is a token, and not good.
        """
        return self.keys.find(secret, client) or self.tokens.find(secret, self.keys.entities)

    def find_for_admin(self, secret: str, client: str) -> Principal | None:
        """The same for the admin API, where nobody comes in without, and sessions count as well.

        Raises:
            Unauthenticated: it is a token, and not good.
            StoreError: sessions cannot be read.
        """
        if secret.startswith(SESSION_PREFIX):
            return self.sessions.find(secret, client, self.keys.entities, now_ms=time.time_ns() // 1_000_000)
        return self.keys.known(secret, client) or self.tokens.find(secret, self.keys.entities)
