"""What a target's requests are signed with, each anew."""

from __future__ import annotations

from typing import Any, Protocol

from dragoman.config.schema import Credential
from dragoman.identity.aws import aws_signer
from dragoman.identity.entra import entra_signer
from dragoman.identity.google import google_signer
from dragoman.identity.ibm import ibm_signer
from dragoman.identity.rotating import Rotating


class Signer(Protocol):
    """Proves who sends a request."""

    @property
    def secret(self) -> Rotating[Any]:
        """What it signs with."""

    def headers(self, method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        """The headers that prove it, once the secret is there."""


def signer_for(credential: Credential, audience: str, base_url: str, where: str) -> Signer | None:
    """What signs with a credential; ``None`` where it is a key.

    :param audience: the name that AWS signs for, or the scope of a token.
    :param where: the provider's place in the configuration, for errors.

    Raises:
        ConfigError: something is missing.
    """
    if credential.aws is not None:
        return aws_signer(credential.aws, audience or "bedrock", base_url, where)
    if credential.google is not None:
        return google_signer(credential.google, audience or CLOUD_PLATFORM, where)
    if credential.entra is not None:
        return entra_signer(credential.entra, audience or COGNITIVE_SERVICES)
    if credential.ibm is not None:
        return ibm_signer(credential.ibm)
    return None


# For a provider whose kind names no audience, such as one behind a proxy.
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
COGNITIVE_SERVICES = "https://cognitiveservices.azure.com/.default"
