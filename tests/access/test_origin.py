from __future__ import annotations

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, chat_body

from dragoman.access.origin import refuse_other_sites
from dragoman.errors import Forbidden

ELSEWHERE = [
    "https://elsewhere.example",
    "http://localhost.elsewhere.example:8080",
    "null",
    "",
    "http://[::1",
    "127.0.0.1",
]


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]"])
def test_this_machine_s_pages_and_what_is_no_page(origin: str | None) -> None:
    refuse_other_sites({} if origin is None else {"origin": origin})


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_pages_of_other_sites(origin: str) -> None:
    with pytest.raises(Forbidden) as refused:
        refuse_other_sites({"origin": origin, "host": origin.rpartition("/")[2]})
    assert refused.value.error_code == "origin_not_allowed"


def test_x12_without_a_key_no_page_of_another_site_is_served(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    served = serve(config_for(upstream.base_url))
    body = chat_body()
    page = {"origin": "https://elsewhere.example", "content-type": "text/plain"}
    for method, path, sent in (
        ("POST", "/v1/chat/completions", body),
        ("GET", "/v1/models", b""),
        ("GET", "/v1/usage", b""),
        ("DELETE", "/v1/cache", b""),
    ):
        refused = served.ask(method, path, sent, **page)
        assert (refused.status, refused.code) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in refused.headers
    assert served.ask("POST", "/v1/chat/completions", body, origin="http://localhost:3000").status == 200
