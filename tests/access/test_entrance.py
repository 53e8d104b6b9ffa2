from __future__ import annotations

import json
import time

import msgspec
import pytest
from tests.access.provider import Provider
from tests.served import Serve

from dragoman.access.sessions import Person
from dragoman.access.stored import create_key
from dragoman.config.schema import Config, Key
from dragoman.errors import Unauthenticated

HERE = "127.0.0.1:1"


def test_each_is_known_by_what_it_has(serve: Serve, provider: Provider) -> None:
    served = serve({"rehearsal": {"enabled": True}, "identity": {"issuers": {"sso": provider.settings()}}})
    gateway, entrance = served.gateway, served.gateway.entrance
    entrance.tokens.verifiers["sso"].read_keys(json.dumps(provider.key_set).encode(), time.monotonic())
    key = create_key(gateway.store.engine, gateway.pepper, Key(name="k"), now_ms=1)
    entrance.keys.refresh()
    person = Person(key_id="jwt:sso:1", name="e", organisation="", team="", user="e", role="admin", is_mapped=True)
    session, _ = entrance.sessions.begin(person, HERE, now_ms=time.time_ns() // 1_000_000)
    token = provider.token()
    by_key, by_token = entrance.find(key.secret, HERE), entrance.find(token, HERE)
    assert by_key is not None and by_key.key_id == key.key.id
    assert by_token is not None and by_token.key_id == "jwt:sso:u-1"
    assert entrance.find(session, HERE) is None  # it is for the admin API
    for_admin = [entrance.find_for_admin(secret, HERE) for secret in (key.secret, token, session)]
    assert [one.key_id for one in for_admin if one] == [key.key.id, "jwt:sso:u-1", "jwt:sso:1"]
    assert entrance.find("", HERE) is None
    with pytest.raises(Unauthenticated):
        entrance.find(provider.token(exp=1), HERE)


def test_issuers_shut_the_door(serve: Serve, provider: Provider) -> None:
    served = serve({"rehearsal": {"enabled": True}})
    entrance = served.gateway.entrance
    assert entrance.find("", HERE) is not None
    assert entrance.find_for_admin("", HERE) is None
    identity = {"identity": {"issuers": {"sso": provider.settings()}}}
    entrance.declare(msgspec.convert(identity, Config))
    assert entrance.find("", HERE) is None
    entrance.declare(Config())
    assert entrance.find("", HERE) is not None
