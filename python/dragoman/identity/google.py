"""Who we are to Google: a service account's file, or what its own library finds (the metadata server among it)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.errors import ConfigError
from dragoman.identity.bearer import Bearer
from dragoman.identity.rotating import Lease, Rotating, Unavailable

if TYPE_CHECKING:
    from dragoman.config.schema import Google

# What a token without an end is taken to be good for; Google's own are good for an hour.
LIFETIME_S = 3600.0


def google_signer(given: Google, scope: str, where: str) -> Bearer:
    """A signer with what the configuration gives.

    :param where: the credential's place in the configuration, for errors.

    Raises:
        ConfigError: the library is not there.
    """
    if not all(_is_installed(name) for name in ("google.auth", "urllib3")):
        raise ConfigError([f"{where}: needs google-auth, or a key: pip install 'dragoman[google]'"])
    return Bearer(Rotating(_Found(given, scope).fetch))


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a parent of it is missing
        return False


class _Found:
    """What google-auth finds."""

    def __init__(self, given: Google, scope: str) -> None:
        self._file = given.file
        self._scope = scope
        self._credentials: Any = None
        self._request: Any = None

    def fetch(self) -> Lease[str]:
        """A new token."""
        try:
            if self._credentials is None:
                self._credentials = self._load()
            self._credentials.refresh(self._request)
        except Exception as error:  # noqa: BLE001 - a file may be anything, and so may what a token server says
            self._credentials = None  # the file may be mended
            raise Unavailable(f"Google credentials cannot be had: {type(error).__name__}: {error}") from None
        expiry = self._credentials.expiry
        ends_s = time.time() + LIFETIME_S if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return Lease(self._credentials.token, ends_s)

    def _load(self) -> Any:
        import google.auth
        import google.auth.transport.urllib3
        import urllib3

        self._request = google.auth.transport.urllib3.Request(urllib3.PoolManager())  # type: ignore[no-untyped-call]
        if self._file:
            return _from_file(self._file, self._scope)
        found, _ = google.auth.default(scopes=[self._scope], request=self._request)
        return found


def _from_file(path: str, scope: str) -> Any:
    """The credentials of a file, by what it says it is."""
    from google.auth import identity_pool
    from google.oauth2 import credentials, service_account

    told = json.loads(Path(path).read_text("utf-8"))
    readers: dict[str, Callable[..., Any]] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
        "external_account": identity_pool.Credentials.from_info,
    }
    reader = readers.get(told["type"])
    if reader is None:
        raise ValueError(f"type {told['type']!r} is none of {', '.join(readers)}")
    return reader(told, scopes=[scope])
