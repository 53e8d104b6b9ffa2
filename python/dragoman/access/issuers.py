"""Reading what issuers say of themselves: their discovery documents and their keys, ahead of the tokens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.driver import Driver
from dragoman.errors import ConfigError
from dragoman.routing.elsewhere import get, place_of, target_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dragoman.access.tokens import Tokens, Verifier
    from dragoman.config.signing_in import Identity
    from dragoman.core import Upstream

log = logging.getLogger("dragoman.access")

READ_EVERY_S = 300.0
RETRY_AFTER_S = 10.0
TIMEOUT_S = 10.0
DISCOVERY = "/.well-known/openid-configuration"


class Document(Struct, frozen=True):
    """A discovery document, as far as it is used (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    authorization_response_iss_parameter_supported: bool = False


class Issuers:
    """Those of a configuration."""

    def __init__(
        self,
        tokens: Tokens,
        upstream: Upstream,
        loop: AbstractEventLoop,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tokens = tokens
        self.documents: dict[str, Document] = {}
        self.failures: dict[str, str] = {}  # why one cannot be read
        self._upstream = upstream
        self._loop = loop
        self._monotonic_s = monotonic_s
        self._tried_s: dict[str, float] = {}

    def replace(self, identity: Identity) -> None:
        """These are the issuers from now on.

        Raises:
            ConfigError: what is needed to look at tokens is not installed.
        """
        if identity.issuers and find_spec("joserfc") is None:
            raise ConfigError(["identity.issuers: needs joserfc: pip install 'dragoman[oidc]'"])
        self.tokens.replace(identity.issuers)
        self._tried_s = {}
        self.look()

    def look(self) -> None:
        """Begin to read what is due: never read, read a while ago, or a token has named a key that is not known."""
        now_s = self._monotonic_s()
        for name, verifier in self.tokens.verifiers.items():
            tried_s = self._tried_s.get(name)
            keys = verifier.keys
            old = keys is None or now_s - keys.read_s > READ_EVERY_S
            if (old or verifier.wants_keys) and (tried_s is None or now_s - tried_s > RETRY_AFTER_S):
                self._tried_s[name] = now_s
                Driver(self.read(verifier), None, self._loop).start()

    async def read(self, verifier: Verifier) -> None:
        """Read an issuer's keys; its document first, where it is needed. What fails is logged, and tried again."""
        name, settings = verifier.name, verifier.settings
        try:
            if settings.client_id or not settings.jwks_url:
                self.documents[name] = await self._document(verifier)
            url = settings.jwks_url or self.documents[name].jwks_uri
            verifier.read_keys(await self._fetch(url, private=settings.allow_private), self._monotonic_s())
            self.failures.pop(name, None)
        except ValueError as error:
            if self.failures.get(name) != str(error):
                log.error("identity.issuers.%s cannot be read: %s", name, error)
            self.failures[name] = str(error)

    async def _document(self, verifier: Verifier) -> Document:
        settings = verifier.settings
        raw = await self._fetch(settings.issuer.rstrip("/") + DISCOVERY, private=settings.allow_private)
        try:
            document = msgspec.json.decode(raw, type=Document)
        except msgspec.DecodeError as error:
            raise ValueError(f"its discovery document: {error}") from None
        if document.issuer != settings.issuer:
            raise ValueError(f"its discovery document is of {document.issuer!r}")
        urls = (document.jwks_uri, document.authorization_endpoint, document.token_endpoint)
        if not settings.allow_private and not all(url.startswith("https://") for url in urls if url):
            raise ValueError("its discovery document names addresses without TLS")
        return document

    async def _fetch(self, url: str, *, private: bool) -> bytes:
        place = place_of(url)
        outcome: Any = await get(target_of(self._upstream, place.base_url, [], private=private), place.path, TIMEOUT_S)
        if outcome.status and outcome.status != 200:
            raise ValueError(f"{place.base_url} answers with status {outcome.status}")
        if outcome.failure:
            raise ValueError(f"{place.base_url} cannot be asked: {outcome.failure}")
        return bytes(outcome.body)
