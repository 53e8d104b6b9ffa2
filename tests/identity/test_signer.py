"""The gateway before providers that want more than a key."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.gateway.speakers import speak
from tests.gateway.upstream import Request, Upstream, answer, expect
from tests.identity.test_google import service_account
from tests.served import Serve

from dragoman.config.schema import Credential, Google
from dragoman.identity.bearer import Bearer
from dragoman.identity.signer import signer_for
from dragoman.identity.sigv4 import is_genuine, read_authorization

KEYS = {"access_key_id": "AKID", "secret_access_key": "secret", "region": "eu-west-1"}


def config(upstream: Upstream, kind: str, credential: dict[str, Any], model: str) -> dict[str, Any]:
    provider = {"kind": kind, "base_url": upstream.base_url, "credentials": [credential], "allow_private": True}
    return {
        "providers": {"p": provider},
        "deployments": {"d": {"provider": "p", "model": model}},
        "routes": {"chat": {"tiers": [["d"]]}},
    }


def is_signed(request: Request) -> bool:
    told = read_authorization(request.headers["authorization"])
    assert told is not None
    path, _, query = request.path.partition("?")
    place = (request.method, path, query)
    return is_genuine("secret", told, place, request.headers, request.body, time.time())


def test_every_request_to_aws_is_signed_as_it_is_sent(serve: Serve, upstream: Upstream) -> None:
    """A model's name that has to be escaped, whole and streamed."""
    served = serve(config(upstream, "bedrock", {"aws": KEYS}, "arn:aws:bedrock:eu-west-1:1:inference-profile/a b"))
    upstream.reply(expect, speak)
    for streamed in (False, True):
        said = served.chat(stream=streamed)
        assert said.status == 200
    requests = upstream.received(2)
    assert [is_signed(request) for request in requests] == [True, True]
    assert requests[0].path == "/v1/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fa%20b/converse"


def test_a_count_is_signed_as_well(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "bedrock", {"aws": KEYS}, "anthropic.claude-v1:0"))
    upstream.reply(expect, speak)
    body = json.dumps({"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi."}]}]}}})
    assert served.ask("POST", "/model/chat/count-tokens", body.encode()).status == 200
    assert is_signed(upstream.received()[0])


def test_a_token_is_fetched_once_for_many_requests(serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    with Upstream() as tokens:
        tokens.reply(expect, answer(json.dumps({"access_token": "ya29.a", "expires_in": 3599}).encode()))
        path = service_account(tmp_path, f"http://127.0.0.1:{tokens.port}/token")
        served = serve(config(upstream, "vertex", {"google": {"file": str(path)}}, "gemini-2.5-flash"))
        upstream.reply(expect, speak)
        begun = [
            served.begin("POST", "/v1/chat/completions", b'{"model":"chat","messages":[{"role":"user","content":"a"}]}')
            for _ in range(8)
        ]
        assert {one.wait().status for one in begun} == {200}
        assert {request.headers["authorization"] for request in upstream.received(8)} == {"Bearer ya29.a"}
        assert len(tokens.requests) == 1


def test_without_credentials_another_deployment_is_tried(serve: Serve, upstream: Upstream) -> None:
    with Upstream() as tokens:
        tokens.reply(expect, answer(b'{"error":"invalid_client"}', 401))
        entra = {"tenant_id": "t", "client_id": "c", "client_secret": "canary"}
        entra["authority"] = f"http://127.0.0.1:{tokens.port}"
        made = config(upstream, "azure", {"entra": entra}, "gpt-4o")
        made["providers"]["q"] = {"base_url": upstream.base_url, "api_key": "k", "allow_private": True}
        made["deployments"]["e"] = {"provider": "q", "model": "m"}
        made["routes"]["chat"]["tiers"].append(["e"])
        made["routes"]["alone"] = {"tiers": [["d"]]}
        served = serve(made)
        upstream.reply(expect, answer())
        assert served.chat().status == 200
        (request,) = upstream.received()
        assert request.headers["authorization"] == "Bearer k"
        alone = served.chat(model="alone")
        assert alone.status == 502
        assert alone.json["error"]["code"] == "upstream_auth"
        assert "invalid_client" in alone.json["error"]["message"]
        assert "canary" not in alone.body.decode()


def test_what_signs() -> None:
    assert signer_for(Credential(key="k"), "", "https://a", "p") is None
    assert isinstance(signer_for(Credential(google=Google()), "", "https://a", "p"), Bearer)
