from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.gateway.upstream import Upstream, answer, expect

from dragoman.config.schema import Entra
from dragoman.identity.entra import entra_signer
from dragoman.identity.rotating import Unavailable

SCOPE = "https://cognitiveservices.azure.com/.default"
TOKEN = answer(json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": "eyJ.a"}).encode())


def given(upstream: Upstream, **fields: str) -> Entra:
    return Entra(authority=f"http://127.0.0.1:{upstream.port}", **fields)


def test_an_application_s_secret(upstream: Upstream) -> None:
    upstream.reply(expect, TOKEN)
    signer = entra_signer(given(upstream, tenant_id="t", client_id="c", client_secret="s"), SCOPE, {})
    assert signer.secret.wait() == "eyJ.a"
    (asked,) = upstream.received()
    assert asked.path == "/t/oauth2/v2.0/token"
    form = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
    assert form == {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s", "scope": SCOPE}


def test_a_workload_s_federated_token(upstream: Upstream, tmp_path: Path) -> None:
    upstream.reply(expect, TOKEN)
    token_file = tmp_path / "token"
    token_file.write_text("projected\n")
    environ = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": str(token_file)}
    assert entra_signer(given(upstream), SCOPE, environ).secret.wait() == "eyJ.a"
    form = parse_qs(upstream.received()[0].body.decode())
    assert form["client_assertion"] == ["projected"]
    token_file.unlink()
    with pytest.raises(Unavailable, match="federated token cannot be read"):
        entra_signer(given(upstream), SCOPE, environ).secret.wait()


def test_the_machine_s_own_identity(upstream: Upstream) -> None:
    upstream.reply(expect, TOKEN)
    environ = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{upstream.port}"}
    assert entra_signer(Entra(client_id="c"), SCOPE, environ).secret.wait() == "eyJ.a"
    (asked,) = upstream.received()
    assert asked.headers["metadata"] == "true"
    query = parse_qs(urlsplit(asked.path).query)
    assert (query["resource"], query["client_id"]) == (["https://cognitiveservices.azure.com"], ["c"])


@pytest.mark.parametrize(
    ("said", "status", "shown"),
    [
        (b'{"error":"invalid_client","error_description":"AADSTS7000215: wrong"}', 401, "401 AADSTS7000215: wrong"),
        (b"<html>", 502, "502"),
        (b"{}", 200, "KeyError"),
        (b"[]", 200, "TypeError"),
        (b"<html>", 200, "JSONDecodeError"),
    ],
)
def test_what_is_wrong_with_it(upstream: Upstream, said: bytes, status: int, shown: str) -> None:
    upstream.reply(expect, answer(said, status))
    signer = entra_signer(given(upstream, tenant_id="t", client_id="c", client_secret="canary"), SCOPE, {})
    with pytest.raises(Unavailable, match=shown) as caught:
        signer.secret.wait()
    assert "canary" not in str(caught.value)
