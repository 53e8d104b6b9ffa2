"""Streams that are odd without being wrong: every byte of them reaches the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.stage import CHATTER, COMMENTS, GOOD, WHOLE, Stage


@pytest.fixture
def client(stage: Stage) -> Iterator[Client]:
    with Client(stage.gateway.port) as client:
        yield client


def ask(stage: Stage, client: Client, play: str, **headers: str) -> None:
    """Asks for a stream of a play, with its usage, so that nothing has to be taken out."""
    options = {"include_usage": True}
    headers |= {"authorization": f"Bearer {stage.key}", "x_dragoman_retries": "0"}
    client.chat(model=f"up/{play}@streams", stream=True, stream_options=options, headers=headers)


def read(stage: Stage, client: Client, play: str) -> Response:
    ask(stage, client, play)
    return client.read()


def test_comments_keep_their_places(stage: Stage, client: Client) -> None:
    assert read(stage, client, "commented").body == b"".join(COMMENTS)


@pytest.mark.parametrize("play", ["mislabelled", "unlabelled"])
def test_a_stream_is_known_by_its_body(stage: Stage, client: Client, play: str) -> None:
    """SDKs look at the body alone, and some servers label it badly."""
    response = read(stage, client, play)
    assert (response.status, response.body) == (200, WHOLE)
    row = stage.row(response.headers["x-request-id"])
    assert (row["finish_reason"], row["first_token_ms"] is not None, row["output_tokens"] > 0) == ("stop", True, True)


def test_what_is_no_stream_passes_as_it_is(stage: Stage, client: Client) -> None:
    response = read(stage, client, "not-a-stream")
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert response.json["choices"][0]["message"]["content"] == "Hello."


def test_what_precedes_a_fault_is_delivered_however_the_network_cut_it(stage: Stage, client: Client) -> None:
    response = read(stage, client, "in-one-piece")
    assert response.status == 200
    assert response.body.startswith(b"".join(GOOD[:3]) + b'data: {"error":')
    assert response.text == "Hello."


def test_comments_without_end_are_not_kept(stage: Stage, client: Client) -> None:
    """What is held back until the first content has a limit; beyond it, the answer begins without."""
    ask(stage, client, "chatty", x_dragoman_timeout="2")
    response = client.read_head()
    assert response.status == 200
    response.body = b"".join(client.parts(response))
    assert response.body.startswith(CHATTER * 128 + b"data: ")
    assert b"deadline_exceeded" in response.body
