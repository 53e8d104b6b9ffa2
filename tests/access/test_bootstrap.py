from __future__ import annotations

from dragoman.access.bootstrap import bootstrap
from dragoman.access.keys import KeyRing
from dragoman.access.stored import list_keys, revoke_key
from dragoman.store.engine import Store

PEPPER = bytes(range(32))


def test_the_first_start_makes_a_key_and_no_other_does(store: Store) -> None:
    secret = bootstrap(store.engine, PEPPER)
    assert secret
    assert bootstrap(store.engine, PEPPER) == ""
    (key,) = list_keys(store.engine)
    revoke_key(store.engine, key.id, now_ms=1)
    assert bootstrap(store.engine, PEPPER) == ""  # whoever revokes it wants none


def test_it_is_for_the_admin_api_and_shuts_nobody_out(store: Store) -> None:
    secret = bootstrap(store.engine, PEPPER)
    keys = KeyRing(store.engine, PEPPER, [], loopback=True)
    assert keys.is_open
    assert keys.total == 0
    principal = keys.known(secret)
    assert principal is not None
    assert principal.admin
    assert principal.surfaces == ("admin",)
