"""A stage, and short ways to ask it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dragoman.config.schema import Rehearsal
from dragoman.rehearsal.plan import Plan
from dragoman.rehearsal.stage import Received, Stage

NOW_S = 1_790_000_000.0


class Asking:
    """Asks a stage for chat completions, and reads what its plans say."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def plan(self, path: str = "/v1/chat/completions", *, header: str | None = None, **fields: Any) -> Plan:
        fields.setdefault("model", "rehearsal")
        if path.endswith("chat/completions"):
            fields.setdefault("messages", [{"role": "user", "content": "Hello there."}])
        return self.stage.plan(Received("POST", path, json.dumps(fields).encode(), header), NOW_S)

    def json(self, path: str = "/v1/chat/completions", **fields: Any) -> Any:
        return json.loads(body(self.plan(path, **fields)))

    def events(self, path: str = "/v1/chat/completions", **fields: Any) -> list[Any]:
        return events(self.plan(path, stream=True, **fields))


def body(plan: Plan) -> bytes:
    return b"".join(step.data for step in plan.steps)


def events(plan: Plan) -> list[Any]:
    """Each event's object; ``[DONE]`` is left as that text."""
    lines = [line.removeprefix(b"data: ") for line in body(plan).split(b"\n\n") if line]
    return ["[DONE]" if line == b"[DONE]" else json.loads(line) for line in lines]


@pytest.fixture
def asking() -> Asking:
    return Asking(Stage(Rehearsal()))


@pytest.fixture
def asking_with() -> Callable[..., Asking]:
    return lambda **settings: Asking(Stage(Rehearsal(**settings)))
