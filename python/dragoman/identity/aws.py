"""Who we are to AWS: keys as given, or those that its own libraries find, signed by Signature Version 4.

What is found (a profile, a role, a web identity, the container's or the instance's) is botocore's to find; it is an
optional dependency.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from dragoman.errors import ConfigError
from dragoman.identity.rotating import Lease, Rotating, Unavailable
from dragoman.identity.sigv4 import Credential, sign

if TYPE_CHECKING:
    from dragoman.config.aws import Aws

# botocore renews what it holds by itself, a quarter of an hour before its end; it is asked as often as this.
ASKED_EVERY_S = 600.0
FOREVER = float("inf")
_REGION = re.compile(r"[.-]((?:[a-z]{2}|us-gov|us-iso[a-z]?)-[a-z]+-\d)\.")


class AwsSigner(Struct, frozen=True):
    """Signs for one service in one region."""

    secret: Rotating[Credential]
    service: str
    region: str

    def headers(self, method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        """The signature's headers."""
        credential = self.secret.current()
        if credential is None:
            return []
        parts = urlsplit(url)
        request = (method, parts.path, parts.query)
        return sign(credential, (self.region, self.service), request, {"host": parts.netloc}, body, time.time())


def aws_signer(
    given: Aws, service: str, base_url: str, where: str, *, environ: Mapping[str, str] = os.environ
) -> AwsSigner:
    """A signer with what the configuration gives.

    :param where: the provider's place in the configuration, for errors.

    Raises:
        ConfigError: what is missing.
    """
    region = given.region or region_of(base_url) or environ.get("AWS_REGION", "")
    if not region:
        raise ConfigError([f"{where}.aws.region: is missing, and the base_url names none"])
    return AwsSigner(_secret(given, region, where, environ), service, region)


def region_of(base_url: str) -> str:
    """The region that an AWS host's name tells; empty where it tells none."""
    found = _REGION.search(urlsplit(base_url).netloc)
    return found[1] if found else ""


def _secret(given: Aws, region: str, where: str, environ: Mapping[str, str]) -> Rotating[Credential]:
    if given.access_key_id and not given.role_arn:
        fixed = Credential(given.access_key_id, given.secret_access_key, given.session_token)
        return Rotating(lambda: Lease(fixed, FOREVER))
    own = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if own[0] and own[1] and not given.profile and not given.role_arn:
        found = Credential(own[0], own[1], environ.get("AWS_SESSION_TOKEN", ""))
        return Rotating(lambda: Lease(found, FOREVER))
    try:
        return Rotating(_Found(given, region).fetch)
    except ImportError:
        message = "needs a key, aws.access_key_id, or botocore to look further: pip install 'dragoman[aws]'"
        raise ConfigError([f"{where}: {message}"]) from None


class _Found:
    """What botocore finds."""

    def __init__(self, given: Aws, region: str) -> None:
        import botocore.session

        self._given = given
        self._region = region
        self._session = botocore.session.Session(profile=given.profile or None)
        self._credentials: Any = None

    def fetch(self) -> Lease[Credential]:
        """The credentials as they are now; renewed by botocore where they end soon."""
        try:
            if self._credentials is None:
                self._credentials = self._assumed() if self._given.role_arn else self._session.get_credentials()
            if self._credentials is None:
                raise Unavailable("AWS credentials are nowhere to be found")
            now = self._credentials.get_frozen_credentials()
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - botocore's errors have no other base
            raise Unavailable(f"AWS credentials cannot be had: {type(error).__name__}: {error}") from None
        return Lease(Credential(now.access_key, now.secret_key, now.token or ""), time.time() + ASKED_EVERY_S)

    def _assumed(self) -> Any:
        """Those of a role, assumed with the keys given or found."""
        from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, DeferredRefreshableCredentials

        given, session = self._given, self._session
        session.set_config_variable("region", self._region)
        source = session.get_credentials()
        if given.access_key_id:
            source = Credentials(given.access_key_id, given.secret_access_key, given.session_token or None)
        extra = {"ExternalId": given.external_id} if given.external_id else {}
        extra["RoleSessionName"] = "dragoman"
        fetcher = AssumeRoleCredentialFetcher(session.create_client, source, given.role_arn, extra_args=extra)
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
