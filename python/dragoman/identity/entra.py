"""Who we are to Azure: an application of Microsoft Entra ID, or the machine's managed identity.

Both are one HTTP request that answers with a token:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from urllib.request import Request

from dragoman.identity.bearer import Bearer, asked_for_token
from dragoman.identity.rotating import Lease, Rotating, Unavailable

if TYPE_CHECKING:
    from dragoman.config.schema import Entra

AUTHORITY = "https://login.microsoftonline.com"
MACHINE = "http://169.254.169.254"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def entra_signer(given: Entra, scope: str, environ: Mapping[str, str] = os.environ) -> Bearer:
    """A signer with what the configuration gives; what it leaves out is read where Azure's libraries do."""
    tenant = given.tenant_id or environ.get("AZURE_TENANT_ID", "")
    client = given.client_id or environ.get("AZURE_CLIENT_ID", "")
    secret = given.client_secret or environ.get("AZURE_CLIENT_SECRET", "")
    token_file = environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    authority = (given.authority or environ.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")
    token_url = f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"

    def of_application() -> Lease[str]:
        proof = {"client_secret": secret}
        if not secret:
            proof = {"client_assertion_type": ASSERTION, "client_assertion": _read(token_file)}
        form = {"grant_type": "client_credentials", "client_id": client, "scope": scope, **proof}
        return asked_for_token(Request(token_url, urlencode(form).encode()), "Entra")  # noqa: S310 - the operator's own URL

    def of_machine() -> Lease[str]:
        asked = {"api-version": "2018-02-01", "resource": scope.removesuffix("/.default")}
        if client:
            asked["client_id"] = client
        machine = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", MACHINE).rstrip("/")
        url = f"{machine}/metadata/identity/oauth2/token?{urlencode(asked)}"
        return asked_for_token(Request(url, headers={"metadata": "true"}), "Entra", direct=True)  # noqa: S310 - as above

    is_application = bool(tenant and client and (secret or token_file))
    return Bearer(Rotating(of_application if is_application else of_machine))


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unavailable(f"the federated token cannot be read: {error}") from None
