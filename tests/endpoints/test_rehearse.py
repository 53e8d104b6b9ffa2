from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.endpoints.rehearse import Played
from dragoman.server.request import Request

PATH = "/rehearsal/v1/chat/completions"


@pytest.fixture
def rehearsing(serve: Serve) -> Served:
    return serve({"rehearsal": {"enabled": True, "time_to_first_token_s": 0, "tokens_per_s": 100_000}})


def key(served: Served) -> dict[str, str]:
    return {"authorization": f"Bearer {served.gateway.rehearsal_key}"}


def test_it_plays_the_provider_for_the_gateway_itself(rehearsing: Served) -> None:
    response = rehearsing.ask("POST", PATH, chat_body(model="demo"), **key(rehearsing))
    assert (response.status, response.json["object"]) == (200, "chat.completion")
    streamed = rehearsing.ask("POST", PATH, chat_body(model="demo", stream=True), **key(rehearsing))
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert rehearsing.get("/rehearsal/v1/models", **key(rehearsing)).json["object"] == "list"


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", "Bearer dgk_é"])
def test_to_others_it_is_not_there(rehearsing: Served, authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    response = rehearsing.ask("POST", PATH, chat_body(), **headers)
    assert (response.status, response.code) == (404, "not_found")


def test_the_key_is_another_in_every_process(serve: Serve, rehearsing: Served) -> None:
    assert len(rehearsing.gateway.rehearsal_key) >= 32


def test_a_body_has_its_limits_here_too(serve: Serve) -> None:
    served = serve({"rehearsal": {"enabled": True}, "server": {"limits": {"max_body_bytes": 10}}})
    assert served.ask("POST", PATH, chat_body(), **key(served)).status == 413


def test_a_client_that_has_left_is_noticed() -> None:
    proto: Any = Protocol(b"")
    reply: Any = None
    request = Request("req_1", proto, reply)
    left: list[bool] = []

    async def watch() -> None:
        await Played(request).client_disconnect()
        left.append(True)

    async def leave() -> None:
        task = asyncio.create_task(watch())
        await asyncio.sleep(0)
        assert not left
        request.gone = True
        await task

    asyncio.run(leave())
    assert left == [True]


def test_a_rehearsal_outlives_its_snapshot(rehearsing: Served) -> None:
    before = rehearsing.ask("POST", PATH, chat_body(model="demo"), **key(rehearsing)).json
    config = rehearsing.load({"rehearsal": {"enabled": True, "time_to_first_token_s": 0, "tokens_per_s": 1e6}})
    rehearsing.gateway.replace(config)
    after = rehearsing.ask("POST", PATH, chat_body(model="demo"), **key(rehearsing)).json
    assert before["choices"] == after["choices"]
