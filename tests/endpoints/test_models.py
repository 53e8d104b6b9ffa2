from __future__ import annotations

import pytest
from tests.gateway.gateway import config_for
from tests.served import Serve, Served

from dragoman.access.secret import create_secret

SECRET = create_secret()
BEARER = {"authorization": f"Bearer {SECRET}"}


@pytest.fixture
def bound(serve: Serve) -> Served:
    """Two deployments and a route, before a key that may use some of them."""
    config = config_for("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    return serve(config | {"keys": [{"name": "k", "secret": SECRET, "allow": ["chat", "up1", "up0/gpt-4*"]}]})


def listed(served: Served, **headers: str) -> list[str]:
    answer = served.get("/v1/models", **headers)
    assert (answer.status, answer.json["object"]) == (200, "list")
    return [model["id"] for model in answer.json["data"]]


def test_routes_and_deployments_and_known_models_are_listed(served: Served) -> None:
    ids = listed(served)
    assert ids[:2] == ["chat", "up0"]
    assert "up0/gpt-4o-mini" in ids
    assert len(ids) == len(set(ids))


def test_a_model_is_shown_as_openai_does(served: Served) -> None:
    answer = served.get("/v1/models/chat")
    assert answer.status == 200
    assert answer.json.keys() >= {"id", "object", "created", "owned_by"}
    assert answer.json["context_window"] == 128_000
    assert 0 < answer.json["pricing"]["input_usd_mtok"] < answer.json["pricing"]["output_usd_mtok"]
    assert (answer.json["id"], answer.json["object"], answer.json["owned_by"]) == ("chat", "model", "up0")
    assert isinstance(answer.json["created"], int)


def test_only_what_the_key_may_use_is_listed(bound: Served) -> None:
    ids = listed(bound, **BEARER)
    assert ids[:2] == ["chat", "up1"]
    assert {name.partition("/")[0] for name in ids[2:]} == {"up0"}
    assert all(name.startswith("up0/gpt-4") for name in ids[2:])


@pytest.mark.parametrize("alias", ["chat", "up1", "up0/gpt-4o", "up0%2Fgpt-4-made-up"])
def test_what_it_may_use_is_there(bound: Served, alias: str) -> None:
    assert bound.get(f"/v1/models/{alias}", **BEARER).status == 200


@pytest.mark.parametrize("alias", ["up0", "up1/gpt-4o", "nowhere/gpt-4o", "none", "", "up0/"])
def test_what_it_may_not_use_is_as_if_it_were_not(bound: Served, alias: str) -> None:
    answer = bound.get(f"/v1/models/{alias}", **BEARER)
    assert (answer.status, answer.code) == (404, "model_not_found")


def test_a_key_is_needed(bound: Served) -> None:
    assert bound.get("/v1/models").status == 401
    assert bound.get("/v1/models/chat").status == 401


def test_nothing_but_get_is_taken(served: Served) -> None:
    assert served.ask("POST", "/v1/models").status == 405
    assert served.ask("DELETE", "/v1/models/chat").status == 405


def test_the_rehearsal_lists_its_own(serve: Serve) -> None:
    ids = listed(serve({}))
    assert {"rehearsal/demo", "rehearsal/embedding"} <= set(ids)


def test_everything_that_is_known_is_listed_for_who_asks(served: Served) -> None:
    everything = served.get("/v1/models?all=true").json["data"]
    assert len(everything) > 1600
    assert len({model["owned_by"] for model in everything}) > 36
    assert {model["configured"] for model in everything} == {True, False}
    priced = [model for model in everything if "pricing" in model]
    assert len(priced) > 1200
    assert sum(model["context_window"] is not None for model in everything) > 900


def test_anthropic_s_clients_get_their_list(served: Served) -> None:
    told = served.get("/v1/models", anthropic_version="2023-06-01").json
    assert told["data"][0].keys() >= {"type", "id", "display_name", "created_at"}
    assert (told["first_id"], told["has_more"]) == ("chat", False)
    assert served.get("/v1/models/chat", anthropic_version="2023-06-01").json["type"] == "model"


def test_and_google_s(served: Served) -> None:
    told = served.get("/v1beta/models").json["models"]
    assert told[0]["name"] == "models/chat"
    assert "generateContent" in told[0]["supportedGenerationMethods"]
    assert served.get("/v1beta/models/chat").json["inputTokenLimit"] == 128_000
    assert served.get("/v1/models/chat", x_goog_api_key="k").json["name"] == "models/chat"
    assert served.get("/v1beta/models/none").json["error"]["status"] == "NOT_FOUND"
