"""Who we are to Azure: an application of Microsoft Entra ID, or the machine's managed identity.

Both are one HTTP request that answers with a token:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener, urlopen

from dragoman.identity.bearer import Bearer
from dragoman.identity.rotating import Lease, Rotating, Unavailable

if TYPE_CHECKING:
    from dragoman.config.schema import Entra

AUTHORITY = "https://login.microsoftonline.com"
MACHINE = "http://169.254.169.254"
TIMEOUT_S = 10.0
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
        return _asked(Request(token_url, urlencode(form).encode()), direct=False)  # noqa: S310 - the operator's own URL

    def of_machine() -> Lease[str]:
        asked = {"api-version": "2018-02-01", "resource": scope.removesuffix("/.default")}
        if client:
            asked["client_id"] = client
        machine = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", MACHINE).rstrip("/")
        url = f"{machine}/metadata/identity/oauth2/token?{urlencode(asked)}"
        return _asked(Request(url, headers={"metadata": "true"}), direct=True)  # noqa: S310 - as above

    is_application = bool(tenant and client and (secret or token_file))
    return Bearer(Rotating(of_application if is_application else of_machine))


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unavailable(f"the federated token cannot be read: {error}") from None


def _asked(request: Request, *, direct: bool) -> Lease[str]:
    """The token that an answer holds.

    :param direct: past any proxy; a machine's own identity is on the machine.
    """
    fetch = build_opener(ProxyHandler({})).open if direct else urlopen
    try:
        with fetch(request, timeout=TIMEOUT_S) as answer:
            told = json.load(answer)
        return Lease(str(told["access_token"]), time.time() + float(told["expires_in"]))
    except HTTPError as error:
        raise Unavailable(f"Entra refuses a token: {error.code} {_reason(error)}") from None
    except (URLError, OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"Entra gives no token: {type(error).__name__}: {error}") from None


def _reason(error: HTTPError) -> str:
    """Why, in Entra's words: its description names no secret."""
    try:
        told = json.loads(error.read(65536))
        return str(told.get("error_description") or told.get("error") or "")[:500]
    except (ValueError, AttributeError, OSError):
        return ""
