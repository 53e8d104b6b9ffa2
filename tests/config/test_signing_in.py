from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dragoman.config.signing_in import Identity, Issuer, problems_of

GOOD: dict[str, Any] = {"issuer": "https://login.acme.example/x", "audience": ["dragoman"]}


def problems(**fields: Any) -> list[str]:
    return [field for field, _ in problems_of(msgspec.convert(GOOD | fields, Issuer))]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"issuer": "http://login.acme.example"}, ["issuer"]),
        ({"issuer": "http://127.0.0.1:5", "allow_private": True}, []),
        ({"issuer": "file:///etc/passwd", "allow_private": True}, ["issuer"]),
        ({"issuer": "https://eve:pw@login.acme.example"}, ["issuer"]),
        ({"issuer": "https://"}, ["issuer"]),
        ({"jwks_url": "gopher://x"}, ["jwks_url"]),
        ({"jwks_url": "https://x:port/"}, ["jwks_url"]),
        ({"audience": []}, ["audience"]),
        ({"audience": [""]}, ["audience"]),
        ({"client_secret": "s"}, ["client_id"]),
    ],
)
def test_what_cannot_be(fields: dict[str, Any], found: list[str]) -> None:
    assert problems(**fields) == found


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS1"])
def test_algorithms_need_a_private_key(algorithm: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(GOOD | {"algorithms": [algorithm]}, Issuer)


def test_secrets_are_not_shown() -> None:
    issuer = msgspec.convert(GOOD | {"client_id": "c", "client_secret": "canary"}, Issuer)
    assert "canary" not in repr(Identity(issuers={"a": issuer}))
