from __future__ import annotations

import json

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Serve

from dragoman.access.knobs import NONE, Knobs
from dragoman.core import RequestBody
from dragoman.dialects.dialect import Path
from dragoman.errors import InvalidRequest
from dragoman.routing.arrival import check_model, read, session_of, with_body_fallbacks


def test_a_fault_names_its_field() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(b'{"model": "m", "max_tokens": -1}', 128)
    assert (refused.value.error_code, refused.value.param) == ("invalid_value", "max_tokens")


def test_a_model_is_named_by_the_body_the_path_or_a_header() -> None:
    nothing, named = RequestBody(b"{}"), RequestBody(b'{"model": "m"}')
    check_model(named, Path())
    check_model(nothing, Path(model="m"))
    check_model(nothing, Path(headers={"x-dragoman-deployment": "d"}))
    with pytest.raises(InvalidRequest) as refused:
        check_model(nothing, Path())
    assert refused.value.error_code == "missing_model"


def test_fallbacks_of_the_body_are_for_who_names_none_in_a_header() -> None:
    body = RequestBody(b'{"fallbacks": ["a", "b"]}')
    assert with_body_fallbacks(NONE, body).fallbacks == ("a", "b")
    assert with_body_fallbacks(Knobs(fallbacks=("c",)), body).fallbacks == ("c",)
    assert with_body_fallbacks(NONE, RequestBody(b"{}")) is NONE


@pytest.mark.parametrize(
    ("by", "knobs", "end_user", "session"),
    [
        ("session", Knobs(session="s"), "u", "s"),
        ("session", Knobs(), "u", "u"),
        ("session", Knobs(), "", "k"),
        ("end_user", Knobs(session="s"), "u", "u"),
        ("end_user", Knobs(session="s"), "", "k"),
        ("key", Knobs(session="s"), "u", "k"),
    ],
)
def test_what_keeps_requests_together(by: str, knobs: Knobs, end_user: str, session: str) -> None:
    assert session_of(by, knobs, end_user, "k") == session


def test_what_was_put_into_a_request_is_not_told_its_client(serve: Serve, upstream: Upstream) -> None:
    """The Responses API repeats what was asked."""
    config = config_for(upstream.base_url, prompts={"decorators": {"d": {"prepend": "House rules."}}})
    config["providers"]["up0"]["dialects"] = ["openai_chat"]
    served = serve(config)
    body = {"model": "chat", "instructions": "Be kind.", "input": "Hi"}
    told = served.ask("POST", "/v1/responses", json.dumps(body).encode()).json
    assert told["instructions"] == "Be kind."
    assert upstream.received()[0].json["messages"][0]["content"].startswith("House rules.")
