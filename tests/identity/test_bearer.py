from __future__ import annotations

from dragoman.identity.bearer import Bearer
from dragoman.identity.rotating import Lease, Rotating


def test_the_token_is_sent_once_it_is_there() -> None:
    bearer = Bearer(Rotating(lambda: Lease("token", float("inf"))))
    assert bearer.headers("POST", "http://a/b", b"") == []
    bearer.secret.wait()
    assert bearer.headers("POST", "http://a/b", b"") == [("authorization", "Bearer token")]
