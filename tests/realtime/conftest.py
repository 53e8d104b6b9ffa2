"""What tests of sessions share: a provider, and a gateway whose sessions are guarded, for each key otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.gateway import Gateway
from tests.guardrails.called.services import Service, deny, serving
from tests.realtime.provider import Sessions
from tests.realtime.talking import KEYS, configuration


def guardrails(service: Service) -> dict[str, Any]:
    def only(*keys: str) -> dict[str, Any]:
        return {"applies_to": {"keys": list(keys)}}

    hook = {"url": service.url, "allow_private": True}
    return {
        "pii": {"mask": {"actions": {"IBAN_CODE": "block"}}, "on_error": "open"},
        "topics": {"words": {"deny": ["plutonium"]}} | only("sdk"),
        "leaks": {"leakage": {"words": 6, "canary": True}} | only("sdk"),
        "lenient": {"words": {"deny": ["plutonium"]}, "on_error": "open"} | only("open"),
        "whole": {"words": {"deny": ["plutonium"]}, "on_stream": "hold"} | only("holds"),
        "hook": {"webhook": hook} | only("called"),
        "glance": {"webhook": hook, "on_stream": "windows"} | only("shown"),
        "spy": {"words": {"deny": ["plutonium"]}, "mode": "shadow"} | only("spied"),
    }


@pytest.fixture(scope="module")
def provider() -> Iterator[Sessions]:
    sessions = Sessions()
    yield sessions
    sessions.close()


@pytest.fixture(scope="module")
def guarded(provider: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving() as service:
        service.answer = deny("plutonium")
        config = configuration(provider.base_url) | {"guardrails": guardrails(service)}
        config["server"] = {"limits": {"heartbeat_s": 0.2}}
        config["audit"] = {"mode": "strict"}
        config["keys"] = [{"name": name, "secret": secret} for name, secret in KEYS.items()]
        with Gateway(config, tmp_path_factory.mktemp("guarded")) as running:
            yield running


@pytest.fixture
def fresh(provider: Sessions) -> None:
    """Nothing has been said, and nothing is to be."""
    provider.frames.clear()
    provider.script, provider.heard = None, "Hi"
