from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import jwt
from tests.gateway.upstream import Upstream, answer, expect

from dragoman.config.schema import Google
from dragoman.identity.google import google_signer
from dragoman.identity.rotating import Unavailable

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def service_account(folder: Path, token_url: str) -> Path:
    """A service account's file, with a key made for it."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "account.json"
    about = {"type": "service_account", "client_email": "gateway@p.example", "private_key_id": "k", "project_id": "p"}
    path.write_text(json.dumps(about | {"private_key": key.decode(), "token_uri": token_url}))
    return path


def test_a_service_account_s_token(tmp_path: Path, upstream: Upstream) -> None:
    path = service_account(tmp_path, f"http://127.0.0.1:{upstream.port}/token")
    upstream.reply(expect, answer(json.dumps({"access_token": "ya29.a", "expires_in": 3599}).encode()))
    signer = google_signer(Google(file=str(path)), SCOPE, "p")
    assert signer.secret.wait() == "ya29.a"
    assert signer.headers("POST", "https://x", b"") == [("authorization", "Bearer ya29.a")]
    (asked,) = upstream.received()
    (assertion,) = parse_qs(asked.body.decode())["assertion"]
    claims = jwt.decode(assertion, verify=False)
    assert (claims["iss"], claims["scope"]) == ("gateway@p.example", SCOPE)
    assert signer.secret.current() == "ya29.a"
    assert claims["exp"] <= time.time() + 3600
    assert len(upstream.requests) == 1


def test_what_is_wrong_with_it(tmp_path: Path, upstream: Upstream) -> None:
    path = service_account(tmp_path, f"http://127.0.0.1:{upstream.port}/token")
    refused = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    upstream.reply(expect, answer(json.dumps(refused).encode(), 400))
    with pytest.raises(Unavailable, match=r"Google credentials cannot be had: RefreshError.*Invalid JWT"):
        google_signer(Google(file=str(path)), SCOPE, "p").secret.wait()
    broken = tmp_path / "broken.json"
    for text, shown in (("{", "JSONDecodeError"), ("[]", "TypeError"), ('{"type":"else"}', "'else' is none of")):
        broken.write_text(text)
        with pytest.raises(Unavailable, match=shown):
            google_signer(Google(file=str(broken)), SCOPE, "p").secret.wait()


def test_the_metadata_server(upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing is given, the machine is asked."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{upstream.port}")
    monkeypatch.setenv("GCE_METADATA_IP", f"127.0.0.1:{upstream.port}")
    flavour = {"metadata_flavor": "Google", "content_type": "application/json"}
    token = json.dumps({"access_token": "ya29.m", "expires_in": 1000, "token_type": "Bearer"}).encode()

    def serve(connection: object) -> None:
        path = upstream.requests[-1].path
        if path.endswith("/token") or "/token?" in path:
            answer(token, **flavour)(connection)  # type: ignore[arg-type]
        elif "recursive" in path:
            about = {"email": "m@p.example", "scopes": [SCOPE], "aliases": ["default"]}
            answer(json.dumps(about).encode(), **flavour)(connection)  # type: ignore[arg-type]
        else:
            answer(b"p", metadata_flavor="Google", content_type="text/plain")(connection)  # type: ignore[arg-type]

    upstream.reply(expect, serve)
    signer = google_signer(Google(), SCOPE, "p")
    assert signer.secret.wait() == "ya29.m"
