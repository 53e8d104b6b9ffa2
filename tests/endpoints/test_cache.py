from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve, Served

from dragoman.access.secret import create_secret

PATH = "/v1/cache"
SECRETS = {"ann": create_secret(), "bob": create_secret(), "root": create_secret()}


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    keys = [{"name": name, "secret": secret, "admin": name == "root"} for name, secret in SECRETS.items()]
    return serve(config_for(upstream.base_url, cache={"mode": "on"}, keys=keys))


def by(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRETS[name]}"}


def ask(served: Served, name: str, **fields: Any) -> Protocol:
    return served.chat(by(name), **fields)


def purge(served: Served, name: str, query: str) -> int:
    answer = served.ask("DELETE", f"{PATH}?{query}", **by(name))
    assert answer.status == 200, answer.body
    return int(answer.json["purged"])


def test_how_much_there_is(served: Served) -> None:
    ask(served, "ann")
    told = served.get(PATH, **by("root")).json
    assert (told["mode"], told["scope"], told["answers"], told["in_flight"]) == ("on", "key", 1, 0)
    assert 0 < told["bytes"] < told["max_bytes"]
    refused = served.get(PATH, **by("ann"))
    assert (refused.status, refused.code) == (403, "admin_only")


def test_a_key_forgets_what_it_has_asked_itself(served: Served) -> None:
    for name in ("ann", "bob"):
        ask(served, name, user="u")
    assert purge(served, "ann", "end_user=u") == 1
    assert purge(served, "ann", "key=file:bob") == 0
    assert purge(served, "ann", "all=true") == 0
    assert ask(served, "bob", user="u").headers["x-dragoman-cache"] == "hit"


def test_an_admin_forgets_whatever_is_named(served: Served) -> None:
    first = ask(served, "ann", user="u")
    ask(served, "ann", user="v")
    ask(served, "bob", user="u", model="up0")
    served.chat({**by("bob"), "x_dragoman_cache_namespace": "n"})
    assert purge(served, "root", f"id={first.headers['x-request-id']}") == 1
    assert purge(served, "root", "namespace=n") == 1
    assert purge(served, "root", "end_user=u&model=chat") == 0
    assert purge(served, "root", "model=up0") == 1
    assert purge(served, "root", "all=true") == 1


def test_an_answer_is_forgotten_by_the_id_that_hits_tell(served: Served) -> None:
    first = ask(served, "ann")
    hit = ask(served, "ann")
    assert hit.headers["x-dragoman-cache-id"] == first.headers["x-request-id"]
    assert purge(served, "ann", f"id={hit.headers['x-dragoman-cache-id']}") == 1


@pytest.mark.parametrize(("query", "param"), [("", "all"), ("tenant=x", "tenant"), ("all=no", "all")])
def test_what_is_forgotten_is_named(served: Served, query: str, param: str) -> None:
    ask(served, "ann")
    refused = served.ask("DELETE", f"{PATH}?{query}", **by("root"))
    assert (refused.status, refused.json["error"]["param"]) == (400, param)
    assert len(served.gateway.answers) == 1


def test_other_methods_are_not_taken(served: Served) -> None:
    assert served.ask("POST", PATH, **by("root")).status == 405
