"""AWS Signature Version 4, as clients of Bedrock sign requests to us and as we sign ours to Bedrock.

The algorithm: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. All services
but S3 encode the path once more than it is sent.

To a client the virtual key is both halves of its credential: the access key id, which travels, and the secret, which
signs. So the key is found as a bearer key is, and the signature proves that nothing was changed on the way.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_S = 300
# What the host is called by those who sign a request of HTTP/2.
AUTHORITY = ":authority"
_UNRESERVED = "-_.~"
_AUTHORIZATION = re.compile(
    ALGORITHM + r"\s+Credential=(?P<id>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<signed>[\w;:-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class Signed(Struct, frozen=True):
    """What an ``Authorization`` header says of its signature."""

    key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def read_authorization(value: str) -> Signed | None:
    """The parts of the header; ``None`` where it is of another scheme, or broken."""
    found = _AUTHORIZATION.fullmatch(value.strip())
    if found is None:
        return None
    headers = tuple(found["signed"].split(";"))
    return Signed(found["id"], found["date"], found["region"], found["service"], headers, found["signature"])


def canonical_path(sent: str) -> str:
    """The path as it is signed: as it was sent, each segment encoded once more."""
    return quote(sent or "/", safe="/" + _UNRESERVED)


def canonical_query(query: str) -> str:
    """The query as it is signed: sorted, and encoded alike."""
    pairs = [(quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in _pairs(query)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def signature_of(
    secret: str, told: Signed, moment: str, request: tuple[str, str, str], headers: Mapping[str, str], body: bytes
) -> str:
    """The signature of a request.

    :param told: the scope, and which headers are signed.
    :param moment: ``x-amz-date``.
    :param request: its method, its path as it is sent, its query.
    :param headers: by their names in lower case.
    """
    method, path, query = request
    known = {AUTHORITY: headers.get("host", ""), **headers}
    lines = "".join(f"{name}:{' '.join(known.get(name, '').split())}\n" for name in told.headers)
    digest = hashlib.sha256(body).hexdigest()
    signed = ";".join(told.headers)
    canonical = f"{method}\n{canonical_path(path)}\n{canonical_query(query)}\n{lines}\n{signed}\n{digest}"
    scope = f"{told.date}/{told.region}/{told.service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (told.date, told.region, told.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def is_genuine(
    secret: str, told: Signed, request: tuple[str, str, str], headers: Mapping[str, str], body: bytes, now_s: float
) -> bool:
    """Whether a request was signed with that secret, a moment ago."""
    moment = headers.get("x-amz-date", "")
    try:
        signed_s = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return False
    if abs(now_s - signed_s) > SKEW_S or not moment.startswith(told.date):
        return False
    if "host" not in told.headers and AUTHORITY not in told.headers:
        return False
    expected = signature_of(secret, told, moment, request, headers, body)
    return hmac.compare_digest(expected, told.signature)


class Credential(Struct, frozen=True):
    """Who signs."""

    key_id: str
    secret: str
    token: str = ""  # of a session


def sign(
    credential: Credential,
    scope: tuple[str, str],
    request: tuple[str, str, str],
    headers: Mapping[str, str],
    body: bytes,
    now_s: float,
) -> list[tuple[str, str]]:
    """The headers that sign a request: ``x-amz-date``, ``authorization``, and a session's token.

    :param scope: region and service.
    :param request: method, path as it is sent, query.
    :param headers: those to sign, ``host`` among them, by their names in lower case.
    """
    moment = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    more = {"x-amz-date": moment, **({"x-amz-security-token": credential.token} if credential.token else {})}
    signed = {**headers, **more}
    told = Signed(credential.key_id, moment[:8], *scope, tuple(sorted(signed)), "")
    signature = signature_of(credential.secret, told, moment, request, signed, body)
    value = (
        f"{ALGORITHM} Credential={told.key_id}/{told.date}/{told.region}/{told.service}/aws4_request, "
        f"SignedHeaders={';'.join(told.headers)}, Signature={signature}"
    )
    return [*more.items(), ("authorization", value)]
