from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
from tests.access.provider import Provider
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve, Served

from dragoman.config.entities import Organisation, User
from dragoman.store.entities import change_entity, create_entity

CLIENT = {"client_id": "dragoman-ui", "client_secret": "client-secret-canary", "roles": {"Platform": "admin"}}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as started:
        started.claims["groups"] = ["Platform"]
        yield started


@pytest.fixture
def served(serve: Serve, upstream: Upstream, provider: Provider) -> Served:
    config = config_for(upstream.base_url) | {"identity": {"issuers": {"sso": provider.settings(**CLIENT)}}}
    served = serve(config)
    create_entity(served.gateway.store.engine, Organisation(name="acme"), now_ms=1)
    served.gateway.keys.refresh()
    deadline = time.monotonic() + 10
    while not (served.gateway.entrance.issuers.documents and served.gateway.entrance.tokens.verifiers["sso"].keys):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return served


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def authorize(url: str) -> str:
    """Where the issuer sends the browser back to."""
    try:
        build_opener(Stay).open(url)
    except Exception as error:  # noqa: BLE001 - urllib raises for a redirect that is not followed
        headers: Any = getattr(error, "headers", {})
        return str(headers["location"])
    raise AssertionError("no redirect")


def begun(served: Served) -> tuple[str, str]:
    """The issuer's address, and the browser's cookie."""
    answer = served.administer("GET", "/admin/v1/login")
    assert answer.status == 302, answer.body
    return answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]


def back(served: Served, url: str, cookie: str) -> Protocol:
    parts = urlsplit(url)
    return served.administer("GET", f"{parts.path}?{parts.query}", cookie=cookie)


def logged_in(served: Served) -> str:
    url, cookie = begun(served)
    answer = back(served, authorize(url), cookie)
    assert answer.status == 200, answer.body
    return str(answer.json["secret"])


def ask(served: Served, secret: str, path: str = "/session", method: str = "GET") -> Protocol:
    return served.administer(method, f"/admin/v1{path}", authorization=f"Bearer {secret}")


def test_a_person_logs_in_acts_and_logs_out(served: Served) -> None:
    secret = logged_in(served)
    told = ask(served, secret).json
    assert (told["user"], told["organisation"], told["role"]) == ("eve@acme.example", "acme", "admin")
    made = served.administer("POST", "/admin/v1/teams", {"name": "shop"}, authorization=f"Bearer {secret}")
    assert (made.status, made.json["organisation"]) == (201, "acme")
    assert ask(served, secret, "/organisations/acme").status == 200
    key = served.administer("POST", "/admin/v1/keys", {"name": "lasting"}, authorization=f"Bearer {secret}")
    assert (key.status, key.json["expires"]) == (201, "")  # it outlives the session
    assert served.chat({"authorization": f"Bearer {secret}"}).status == 401  # it is for the admin API
    assert ask(served, secret, method="DELETE").json["ended"] is True
    assert ask(served, secret).status == 401


def test_the_way_there_is_pkce_s(served: Served) -> None:
    url, cookie = begun(served)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"].endswith("/admin/v1/callback")
    assert "client-secret-canary" not in url
    answer = served.administer("GET", "/admin/v1/login")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert cookie != answer.headers["set-cookie"].partition(";")[0]


def test_another_s_login_is_not_finished(served: Served) -> None:
    url, cookie = begun(served)
    location = authorize(url)
    told = dict(parse_qsl(urlsplit(location).query))
    other_url, other_cookie = begun(served)
    state = dict(parse_qsl(urlsplit(other_url).query))["state"]
    path = urlsplit(location).path
    wrong = [
        (told, ""),
        (told, other_cookie),
        (told | {"state": state}, cookie),
        (told | {"state": "made-up"}, cookie),
        (told | {"state": ""}, cookie),
        (told | {"iss": "https://elsewhere.example"}, cookie),
        ({"state": told["state"], "error": "access_denied"}, cookie),
        ({"state": told["state"]}, cookie),
        (told | {"state": state}, other_cookie),  # whose verifier is another: the issuer refuses the code
    ]
    for query, sent in wrong:
        refused = served.administer("GET", f"{path}?{urlencode(query)}", cookie=sent)
        assert (refused.status, refused.code) == (401, "login_failed"), query


def test_a_code_is_good_once(served: Served) -> None:
    url, cookie = begun(served)
    location = authorize(url)
    assert back(served, location, cookie).status == 200
    assert back(served, location, cookie).status == 401


def test_a_token_of_another_login_is_refused(served: Served, provider: Provider) -> None:
    provider.nonce = "another"
    url, cookie = begun(served)
    assert back(served, authorize(url), cookie).code == "login_failed"


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"groups": ["Nobody"]}])
def test_who_does_not_come_in(served: Served, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims |= claims
    url, cookie = begun(served)
    assert back(served, authorize(url), cookie).status in (401, 403)


def test_an_unknown_issuer_is_said(served: Served) -> None:
    refused = served.administer("GET", "/admin/v1/login?issuer=none")
    assert (refused.status, "sso" in refused.json["error"]["message"]) == (404, True)


def test_a_user_who_is_disabled_is_out_at_once(served: Served) -> None:
    secret = logged_in(served)
    engine = served.gateway.store.engine
    user = User(name="eve@acme.example", organisation="acme", role="admin")
    create_entity(engine, user, now_ms=1)
    change_entity(engine, user, User(name=user.name, organisation="acme", role="admin", disabled=True), now_ms=2)
    served.gateway.keys.refresh()
    assert ask(served, secret).status == 401


def test_a_session_is_good_where_it_began(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = logged_in(served)
    monkeypatch.setattr("tests.served.Scope.client", "192.0.2.7:1")
    assert ask(served, secret).status == 401
    monkeypatch.undo()
    assert ask(served, secret).status == 401  # and then nowhere


def test_a_cookie_opens_nothing(served: Served) -> None:
    secret = logged_in(served)
    assert (
        served.administer("GET", "/admin/v1/session", cookie=f"dragoman_login={secret}; session={secret}").status == 401
    )


def test_a_token_is_taken_for_a_key_on_both_listeners(served: Served, provider: Provider) -> None:
    token = provider.token()
    asked = served.chat({"authorization": f"Bearer {token}"})
    assert asked.status == 200
    row = served.row(asked)
    assert (row.key_id, row.user, row.organisation) == ("jwt:sso:u-1", "eve@acme.example", "acme")
    assert ask(served, token).json["role"] == "admin"
    assert served.chat({"authorization": f"Bearer {provider.token(exp=1)}"}).status == 401
    assert served.chat().status == 401  # where tokens are taken, nobody comes in without


def test_a_key_does_not_end_like_a_session(served: Served, provider: Provider) -> None:
    assert ask(served, provider.token(), method="DELETE").code == "not_a_session"
