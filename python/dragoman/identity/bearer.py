"""A token that stands for its sender, as OAuth has it."""

from __future__ import annotations

import json
import time
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener, urlopen

from msgspec import Struct

from dragoman.identity.rotating import Lease, Rotating, Unavailable

TIMEOUT_S = 10.0


class Bearer(Struct, frozen=True):
    """Sends the token with every request."""

    secret: Rotating[str]

    def headers(self, method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        """The header that holds it."""
        token = self.secret.current()
        return [] if token is None else [("authorization", f"Bearer {token}")]


def asked_for_token(request: Request, issuer: str, *, direct: bool = False) -> Lease[str]:
    """The token that an issuer's answer holds.

    :param direct: past any proxy; a machine's own identity is on the machine.

    Raises:
        Unavailable: there is none; says why.
    """
    fetch = build_opener(ProxyHandler({})).open if direct else urlopen
    try:
        with fetch(request, timeout=TIMEOUT_S) as answer:
            told = json.load(answer)
        return Lease(str(told["access_token"]), time.time() + float(told["expires_in"]))
    except HTTPError as error:
        raise Unavailable(f"{issuer} refuses a token: {error.code} {_reason(error)}") from None
    except (URLError, OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{issuer} gives no token: {type(error).__name__}: {error}") from None


def _reason(error: HTTPError) -> str:
    """Why, in the issuer's words, which name no secret."""
    try:
        told = json.loads(error.read(65536))
        return str(told.get("error_description") or told.get("errorMessage") or told.get("error") or "")[:500]
    except (ValueError, AttributeError, OSError):
        return ""
