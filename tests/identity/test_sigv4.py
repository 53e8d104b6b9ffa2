from __future__ import annotations

import random
import string
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dragoman.identity.sigv4 import AUTHORITY, Credential, Signed, is_genuine, read_authorization, sign

LETTERS = string.ascii_letters + string.digits + "-_.~:/ %+&=é"


def at_random(seed: int) -> tuple[str, str, dict[str, str], bytes]:
    """A request: its method, its URL, its headers, its body."""
    chance = random.Random(seed)

    def word(most: int) -> str:
        return "".join(chance.choices(LETTERS, k=chance.randint(1, most)))

    path = "/model/" + quote(word(40), safe="") + chance.choice(["/converse", "/invoke", "/converse-stream"])
    query = "&".join(f"{quote(word(8), safe='')}={quote(word(8), safe='')}" for _ in range(chance.randint(0, 3)))
    headers = {"content-type": "application/json", "x-amz-note": f" a  {chance.random()} "}
    body = word(200).encode()
    host = f"host-{seed % 7}.example:{8000 + seed % 3}"
    return "POST", f"https://{host}{path}{'?' + query if query else ''}", headers, body


def signed_by_botocore(seed: int, token: str | None) -> tuple[AWSRequest, bytes]:
    method, url, headers, body = at_random(seed)
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    SigV4Auth(Credentials("id", "secret", token), "bedrock", "eu-west-1").add_auth(request)
    return request, body


def lowered(request: AWSRequest) -> dict[str, str]:
    host = urlsplit(request.url).netloc
    return {"host": host} | {name.lower(): str(value) for name, value in request.headers.items()}


def parts(request: AWSRequest) -> tuple[str, str, str]:
    split = urlsplit(request.url)
    return request.method, split.path, split.query


@pytest.mark.parametrize("token", [None, "a-token"])
def test_a_thousand_requests_are_signed_as_botocore_signs_them(token: str | None) -> None:
    for seed in range(1000):
        request, body = signed_by_botocore(seed, token)
        headers = lowered(request)
        told = read_authorization(headers["authorization"])
        assert told is not None
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        assert is_genuine("secret", told, parts(request), headers, body, at)
        mine = {name: headers[name] for name in told.headers if name not in ("x-amz-date", "x-amz-security-token")}
        credential = Credential("id", "secret", token or "")
        given = dict(sign(credential, ("eu-west-1", "bedrock"), parts(request), mine, body, at))
        assert given["authorization"] == headers["authorization"], seed


def test_anything_that_is_changed_is_noticed() -> None:
    request, body = signed_by_botocore(1, None)
    headers = lowered(request)
    told = read_authorization(headers["authorization"])
    assert told is not None
    at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    method, path, query = parts(request)

    def genuine(**change: Any) -> bool:
        asked = change.get("request", (method, path, query))
        named = headers | change.get("headers", {})
        secret, sent = change.get("secret", "secret"), change.get("body", body)
        return is_genuine(secret, told, asked, named, sent, change.get("at", at))

    assert genuine()
    assert not genuine(secret="other")
    assert not genuine(body=body + b" ")
    assert not genuine(request=(method, path + "x", query))
    assert not genuine(request=("PUT", path, query))
    assert not genuine(headers={"host": "elsewhere"})
    assert not genuine(at=at + 301)
    assert not genuine(headers={"x-amz-date": "yesterday"})


def test_http2_signs_the_authority() -> None:
    at, request = 1_800_000_000.0, ("POST", "/model/m/converse", "")
    signed = dict(sign(Credential("id", "secret"), ("r", "bedrock"), request, {AUTHORITY: "h"}, b"{}", at))
    told = read_authorization(signed["authorization"])
    assert told is not None
    assert AUTHORITY in told.headers
    assert is_genuine("secret", told, request, {**signed, "host": "h"}, b"{}", at)
    assert not is_genuine("secret", told, request, {**signed, "host": "elsewhere"}, b"{}", at)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=id, SignedHeaders=host, Signature=00",
        f"AWS4-HMAC-SHA256 Credential=id/20260101/r/s/other, SignedHeaders=host, Signature={'0' * 64}",
    ],
)
def test_other_schemes_are_none(value: str) -> None:
    assert read_authorization(value) is None


def test_the_parts_are_read() -> None:
    scope = "id/20260101/eu-west-1/bedrock/aws4_request"
    value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'a' * 64}"
    assert read_authorization(value) == Signed(
        "id", "20260101", "eu-west-1", "bedrock", ("host", "x-amz-date"), "a" * 64
    )
