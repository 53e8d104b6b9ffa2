"""Who we are to IBM Cloud: an API key, exchanged for a token that lasts an hour.

https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import Request

from dragoman.identity.bearer import Bearer, asked_for_token
from dragoman.identity.rotating import Lease, Rotating

if TYPE_CHECKING:
    from dragoman.config.schema import Ibm

AUTHORITY = "https://iam.cloud.ibm.com"
GRANT = "urn:ibm:params:oauth:grant-type:apikey"


def ibm_signer(given: Ibm) -> Bearer:
    """A signer with the key that the configuration gives."""
    url = f"{(given.authority or AUTHORITY).rstrip('/')}/identity/token"
    form = urlencode({"grant_type": GRANT, "apikey": given.api_key}).encode()

    def exchanged() -> Lease[str]:
        return asked_for_token(Request(url, form), "IBM Cloud")  # noqa: S310 - the operator's own URL

    return Bearer(Rotating(exchanged))
