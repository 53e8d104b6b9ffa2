from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
from tests.gateway.upstream import Upstream, answer, expect

from dragoman.config.schema import Ibm
from dragoman.identity.ibm import ibm_signer
from dragoman.identity.rotating import Unavailable

TOKEN = answer(json.dumps({"access_token": "eyJ.a", "token_type": "Bearer", "expires_in": 3600}).encode())


def test_a_key_is_exchanged_for_a_token(upstream: Upstream) -> None:
    upstream.reply(expect, TOKEN)
    signer = ibm_signer(Ibm(api_key="k", authority=f"http://127.0.0.1:{upstream.port}"))
    assert signer.secret.wait() == "eyJ.a"
    assert signer.headers("POST", "https://x/", b"") == [("authorization", "Bearer eyJ.a")]
    (asked,) = upstream.received()
    assert asked.path == "/identity/token"
    form = parse_qs(asked.body.decode())
    assert form == {"grant_type": ["urn:ibm:params:oauth:grant-type:apikey"], "apikey": ["k"]}


def test_a_refusal_says_why_without_the_key(upstream: Upstream) -> None:
    body = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
    upstream.reply(expect, answer(json.dumps(body).encode(), 400))
    signer = ibm_signer(Ibm(api_key="secret-key", authority=f"http://127.0.0.1:{upstream.port}"))
    with pytest.raises(
        Unavailable, match="IBM Cloud refuses a token: 400 Provided API key could not be found"
    ) as raised:
        signer.secret.wait()
    assert "secret-key" not in str(raised.value)
