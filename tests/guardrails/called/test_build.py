from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dragoman.config.guards import KINDS as ALL
from dragoman.config.schema import Config
from dragoman.core import Upstream
from dragoman.errors import ConfigError
from dragoman.guardrails.build import KINDS as WITHIN
from dragoman.guardrails.build import build_guardrails
from dragoman.guardrails.called.build import KINDS

PARTS: dict[str, dict[str, Any]] = {
    "webhook": {"url": "https://example.com/judge"},
    "openai_moderation": {"api_key": "sk-x"},
    "presidio": {"url": "http://presidio:3000"},
    "bedrock_guardrail": {
        "identifier": "g",
        "region": "eu-west-1",
        "aws": {"access_key_id": "a", "secret_access_key": "b"},
    },
    "judge": {"model": "openai/gpt-4.1-mini"},
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    loop = asyncio.new_event_loop()
    yield Upstream(loop)
    loop.close()


def test_every_kind_is_within_or_called_out() -> None:
    assert {"mask", *WITHIN, *KINDS} == set(ALL)
    assert PARTS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", list(PARTS))
def test_every_kind_can_be_built(upstream: Upstream, kind: str) -> None:
    told = {"g": {kind: PARTS[kind], "timeout_s": 2, "parallel": True, "action": "flag", "on": ["output"]}}
    config = msgspec.convert({"guardrails": told}, Config)
    (guard,) = build_guardrails(config, upstream).called
    assert (guard.name, guard.timeout_s, guard.parallel, guard.blocks) == ("g", 2, True, False)
    assert guard.places == {"output"}
    assert build_guardrails(config).called == ()


def test_without_a_region_there_is_none_to_ask(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.identity.aws._secret", lambda *_: (_ for _ in ()).throw(ConfigError(["no keys"])))
    told = {"g": {"bedrock_guardrail": {"identifier": "g", "region": "eu-west-1"}}}
    with pytest.raises(ConfigError):
        build_guardrails(msgspec.convert({"guardrails": told}, Config), upstream)
