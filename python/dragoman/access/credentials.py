"""Where a client may have put its key: every place that the vendors' SDKs and the gateways people come from use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from dragoman.errors import InvalidRequest, Unauthenticated
from dragoman.identity.sigv4 import ALGORITHM, is_genuine, read_authorization

if TYPE_CHECKING:
    from dragoman.server.request import Request

# Tried in this order; all that are present must agree.
HEADERS = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-dragoman-key",
    "x-litellm-api-key",
    "x-portkey-api-key",
    "cf-aig-authorization",
    "helicone-auth",
    "x-goog-api-key",
)
FIRST, OTHERS = HEADERS[:1], frozenset(HEADERS[1:])
# Beginnings of paths whose clients may put the key into the query.
KEY_IN_QUERY = ("/v1beta", "/v1alpha", "/ws/google.")


def secret_of(request: Request) -> str:
    """The key that a request presents; empty where there is none.

    Raises:
        InvalidRequest: two places present different keys, or one came twice.
    """
    return presented_key(request.headers, request.query if request.path.startswith(KEY_IN_QUERY) else "")


def presented_key(headers: dict[str, str], query: str = "") -> str:
    """The key that a request presents; empty where there is none.

    :param query: of a path whose clients put it there, as ``key``.

    Raises:
        InvalidRequest: two places present different keys, or one came twice.
    """
    found = parse_qs(query).get("key", [""])[0] if "key=" in query else ""
    for name in HEADERS if found or not OTHERS.isdisjoint(headers) else FIRST:
        value = headers.get(name)
        if not value:
            continue
        key = _key_of(value)
        if "," in key or (found and key != found):  # a comma: the header came twice
            raise InvalidRequest("More than one key is presented.", code="ambiguous_key", param=name)
        found = key
    return found


def _key_of(value: str) -> str:
    if value.startswith(ALGORITHM):
        told = read_authorization(value)
        return "" if told is None else told.key_id
    return value[7:].strip() if value[:7].lower() == "bearer " else value.strip()


def check_signature(headers: dict[str, str], request: tuple[str, str, str], body: bytes) -> None:
    """Hold a request that is signed as AWS has it to its signature, for which the key is the secret as well.

    :param request: its method, its path as it was sent, its query.

    Raises:
        Unauthenticated: it was signed with something else, or changed on its way.
    """
    value = headers.get("authorization", "")
    told = read_authorization(value) if value.startswith(ALGORITHM) else None
    if told is not None and not is_genuine(told.key_id, told, request, headers, body, time.time()):
        raise Unauthenticated(
            "The request's signature is not right. Give the gateway's key as both AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, and let nothing between change the path, the host or the body.",
            code="invalid_signature",
        )
