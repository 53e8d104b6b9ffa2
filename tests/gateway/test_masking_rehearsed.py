"""A hundred thousand texts through a gateway that hides, before a model that says back what it was told."""

from __future__ import annotations

import hmac
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.test_mask import random_text
from tests.gateway.client import Client, Response
from tests.gateway.gateway import Gateway

from dragoman.access.secret import create_secret, load_pepper
from dragoman.core import Masker

ANN, BOB = create_secret(), create_secret()
TEXTS_A_REQUEST = 200
REQUESTS = 500
ECHO = {"echo": True, "time_to_first_token_s": 0, "tokens_per_s": 1e9}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "rehearsal": {"enabled": True},
        "routes": {"echo": {"tiers": [["rehearsal/echo"]]}},
        "guardrails": {"pii": {"mask": {}}},
        "keys": [{"name": "ann", "secret": ANN}, {"name": "bob", "secret": BOB}],
    }
    directory: Path = tmp_path_factory.mktemp("masking")
    with Gateway(config, directory) as running:
        yield running


def said(client: Client, texts: list[str], *, key: str, stream: bool) -> tuple[Response, list[str]]:
    """What a model says that says back what it was told, read again."""
    messages = [{"role": "user", "content": text} for text in texts]
    fields = {"model": "echo", "messages": messages, "stream": stream, "rehearsal": ECHO}
    client.chat(**fields, headers={"authorization": f"Bearer {key}"})
    response = client.read()
    assert response.status == 200, response.body
    text = response.text if stream else response.json["choices"][0]["message"]["content"]
    return response, [message["content"] for message in json.loads(text)["messages"]]


def test_a_hundred_thousand_texts_come_back_whole_and_streamed(gateway: Gateway) -> None:
    """Echoed, shuffled and split: each request says its texts in an order of its own, and half the answers stream."""
    chance = random.Random(23)
    hidden = 0
    with Client(gateway.port) as client:
        for number in range(REQUESTS):
            texts = [random_text(chance) for _ in range(TEXTS_A_REQUEST)]
            chance.shuffle(texts)
            response, told = said(client, texts, key=ANN if number % 3 else BOB, stream=number % 2 == 0)
            assert told == texts
            hidden += "pii=mask" in response.headers["x-dragoman-guardrails"]
    assert hidden == REQUESTS


def test_names_of_another_tenant_are_never_shown(gateway: Gateway) -> None:
    """What stands in one tenant's requests for a value stands for nothing in another's, whatever a model says."""
    with Client(gateway.port) as client:
        (name,) = [word for word in masked_for_ann(gateway, "to carla.meier@example.com").split() if "_" in word]
        for stream in (False, True):
            _, told = said(client, [f"I know {name}!", "bob@example.com"], key=BOB, stream=stream)
            assert told == [f"I know {name}!", "bob@example.com"]
            _, told = said(client, [f"I know {name}!", "other@example.com"], key=ANN, stream=stream)
            assert told == [f"I know {name}!", "other@example.com"], "nor in another request of the same tenant"


def masked_for_ann(gateway: Gateway, text: str) -> str:
    """A text as a provider sees it of one tenant, made as the gateway makes it."""
    pepper = load_pepper(gateway.directory / "data", {})
    key = hmac.digest(pepper, b"placeholders\0file:ann", "sha256")
    masked = Masker().session(key).mask(text)
    assert masked is not None
    return masked
