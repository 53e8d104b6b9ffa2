from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tests.access.provider import Provider

from dragoman.access.principal import Principal
from dragoman.access.rights import Entities
from dragoman.access.roles import ROLES
from dragoman.access.tokens import JWKS_TRUSTED_S, Tokens, claim
from dragoman.config.entities import Grants, Organisation, User
from dragoman.config.signing_in import Issuer
from dragoman.errors import Unauthenticated

NOBODY = Entities()


def tokens_of(provider: Provider, **more: Any) -> Tokens:
    settings = msgspec.convert(provider.settings(**more), Issuer)
    tokens = Tokens()
    tokens.replace({"sso": settings})
    tokens.verifiers["sso"].read_keys(json.dumps(provider.key_set).encode(), time.monotonic())
    return tokens


def found(tokens: Tokens, token: str, entities: Entities = NOBODY) -> Principal:
    principal = tokens.find(token, entities)
    assert principal is not None
    return principal


def test_a_good_token_stands_for_its_person(provider: Provider) -> None:
    tokens = tokens_of(provider, allow=["gpt-*"])
    for key in provider.keys:
        principal = found(tokens, provider.token(key))
        assert (principal.key_id, principal.user, principal.organisation) == ("jwt:sso:u-1", "eve@acme.example", "acme")
        assert principal.may_use("gpt-5")
        assert not principal.may_use("claude")
        assert principal.expires_at_ms is not None and principal.expires_at_ms > time.time() * 1000
        assert not principal.permissions


def test_what_is_no_token_is_nobody_s_business(provider: Provider) -> None:
    tokens = tokens_of(provider)
    other = provider.token(iss="https://elsewhere.example")
    for text in ("", "dgk_x", "a.b", "a.b.c", "...", "a.b.c.d", "x" * 20_000 + "..", other, "\ud800.\ud800.x"):
        assert tokens.find(text, NOBODY) is None
    assert Tokens().find(provider.token(), NOBODY) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"aud": "somebody-else"},
        {"aud": None},
        {"sub": None},
        {"email_verified": False},
        {"exp": "soon"},
    ],
)
def test_claims_that_are_not_right(provider: Provider, claims: dict[str, Any]) -> None:
    tokens = tokens_of(provider)
    with pytest.raises(Unauthenticated):
        tokens.find(provider.token(**claims), NOBODY)


def unsigned(token: str, head: dict[str, Any]) -> str:
    text = base64.urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    return f"{text}.{token.split('.')[1]}."


def test_signatures_that_are_not_right(provider: Provider) -> None:
    tokens, good = tokens_of(provider), provider.token()
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    head, body, signature = good.split(".")
    named = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').decode().rstrip("=")
    mac = hmac.digest(provider.keys[0].as_pem(private=False), f"{named}.{body}".encode(), "sha256")
    confused = f"{named}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    changed = (
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"eve@", b"bob@")).decode().rstrip("=")
    )
    for token in (
        provider.token(stranger),
        confused,
        unsigned(good, {"alg": "none"}),
        unsigned(good, {"alg": "none", "kid": "k1"}),
        f"{head}.{changed}.{signature}",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        provider.token(stranger, head={"jwk": stranger.as_dict(private=False)}),
        provider.token(stranger, head={"jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/x"}),
        provider.token(head={"kid": "../../../etc/passwd"}),
        provider.token(head={"kid": "' OR 1=1 --"}),
    ):
        with pytest.raises(Unauthenticated):
            tokens.find(token, NOBODY)
    assert tokens.verifiers["sso"].wants_keys  # one may be new


def test_two_tokens_that_begin_alike_are_two(provider: Provider) -> None:
    tokens = tokens_of(provider)
    good = provider.token()
    found(tokens, good)
    with pytest.raises(Unauthenticated):
        tokens.find(good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB"), NOBODY)


def test_keys_are_needed_and_grow_old(provider: Provider) -> None:
    now = [1000.0]
    tokens = Tokens(monotonic_s=lambda: now[0])
    tokens.replace({"sso": msgspec.convert(provider.settings(), Issuer)})
    with pytest.raises(Unauthenticated) as refused:
        tokens.find(provider.token(), NOBODY)
    assert refused.value.error_code == "issuer_unavailable"
    tokens.verifiers["sso"].read_keys(json.dumps(provider.key_set).encode(), now[0])
    found(tokens, provider.token())
    now[0] += JWKS_TRUSTED_S + 1
    with pytest.raises(Unauthenticated):
        tokens.find(provider.token(jti="another"), NOBODY)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [{"kty": "RSA"}]}', b'{"keys": [1]}'])
def test_keys_that_are_none(provider: Provider, raw: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        tokens_of(provider).verifiers["sso"].read_keys(raw, 0.0)


def test_symmetric_keys_of_an_issuer_are_not_taken(provider: Provider) -> None:
    tokens = tokens_of(provider)
    shared = OctKey.generate_key(256, {"kid": "shared"})
    published = {"keys": [*provider.key_set["keys"], shared.as_dict(private=True)]}
    tokens.verifiers["sso"].read_keys(json.dumps(published).encode(), time.monotonic())
    with pytest.raises(Unauthenticated):
        tokens.find(jwt.encode({"alg": "HS256", "kid": "shared"}, {"iss": provider.url, "sub": "x"}, shared), NOBODY)


def test_groups_are_roles_and_teams(provider: Provider) -> None:
    tokens = tokens_of(provider, roles={"Platform": "owner", "All": "viewer"}, teams={"Shop": "shop"}, role="member")
    assert found(tokens, provider.token(groups=["All", "Platform"])).permissions == ROLES["owner"]
    in_shop = found(tokens, provider.token(groups=["Shop"]))
    assert (in_shop.team, in_shop.role) == ("shop", "member")
    nested = tokens_of(provider, roles={"a": "admin"}, claims={"groups": "realm_access.roles", "user": "sub"})
    principal = found(nested, provider.token(realm_access={"roles": ["a"]}))
    assert (principal.user, principal.permissions) == ("u-1", ROLES["admin"])


def test_a_user_here_is_what_they_are_here(provider: Provider) -> None:
    tokens = tokens_of(provider)
    here = User(name="eve@acme.example", organisation="acme", role="viewer", grants=Grants(allow=("x",)))
    principal = found(tokens, token := provider.token(), Entities([Organisation(name="acme"), here]))
    assert principal.permissions == ROLES["viewer"]
    assert not principal.may_use("gpt-5")
    gone = Entities([msgspec.structs.replace(here, disabled=True)])
    with pytest.raises(Unauthenticated, match="disabled"):
        tokens.find(token, gone)  # though it was good a moment ago


def test_another_configuration_forgets_what_was_good(provider: Provider) -> None:
    tokens, token = tokens_of(provider), provider.token()
    found(tokens, token)
    tokens.replace({})
    assert tokens.find(token, NOBODY) is None


def test_claims_have_paths() -> None:
    told = {"a": {"b": {"c": 1}}, "https://x.example/groups": ["g"]}
    assert claim(told, "a.b.c") == 1
    assert claim(told, "https://x.example/groups") == ["g"]
    assert claim(told, "a.x.c") is None
    assert claim(told, "") is None
