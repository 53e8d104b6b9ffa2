from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path

import pytest

from dragoman.cli.welcome import welcome
from dragoman.config.schema import Config, Deployment, Key, Provider, Rehearsal, Route, Server

REHEARSED = Config(rehearsal=Rehearsal(enabled=True))


def curl_of(text: str) -> list[str]:
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if "curl" in line)
    return shlex.split("\n".join(lines[start : start + 3]))


def model_of(text: str) -> str:
    model = json.loads(curl_of(text)[-1])["model"]
    assert isinstance(model, str)
    return model


def test_the_snippets_are_whole() -> None:
    text = welcome(REHEARSED, None)
    curl = curl_of(text)
    assert curl[:2] == ["curl", "http://127.0.0.1:8080/v1/chat/completions"]
    assert json.loads(curl[-1])["messages"] == [{"role": "user", "content": "Hello"}]
    snippet = text.split("SDK:\n")[1]
    ast.parse("\n".join(line.strip() for line in snippet.splitlines()))
    assert 'base_url="http://127.0.0.1:8080/v1"' in snippet


@pytest.mark.parametrize(
    ("config", "model"),
    [
        (REHEARSED, "rehearsal/rehearsal"),
        (Config(providers={"mine": Provider(kind="openai")}), "mine/gpt-4.1-mini"),
        (Config(providers={"odd": Provider(kind="poe")}), "odd/MODEL"),
        (
            Config(providers={"odd": Provider(kind="poe")}, deployments={"d": Deployment(provider="odd", model="m")}),
            "d",
        ),
        (Config(routes={"chat": Route(tiers=(("a/b",),))}), "chat"),
    ],
)
def test_the_model_is_one_that_can_be_asked_for(config: Config, model: str) -> None:
    assert model_of(welcome(config, None)) == model


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("localhost", "localhost"), ("10.0.0.1", "10.0.0.1")],
)
def test_the_address_can_be_connected_to(host: str, shown: str) -> None:
    text = welcome(Config(server=Server(host=host, port=9000)), None)
    assert curl_of(text)[1] == f"http://{shown}:9000/v1/chat/completions"


def test_a_key_is_asked_for_where_there_is_one() -> None:
    text = welcome(Config(keys=(Key(name="a", secret="hunter2"),)), Path("f.yaml"))
    assert "Bearer $DRAGOMAN_KEY" in text
    assert 'api_key=os.environ["DRAGOMAN_KEY"]' in text
    assert "hunter2" not in text
    assert "(f.yaml)" in text


def test_many_providers_are_counted() -> None:
    providers = {f"p{number}": Provider() for number in range(12)}
    assert "p0, p1, p2, p3, p4, p5, p6, p7 and 4 more" in welcome(Config(providers=providers), None)
