from __future__ import annotations

from typing import Any

import pytest

from dragoman.endpoints.surfaces import BY_ACTION, CONVERSE, FIXED, GENERATE_CONTENT
from dragoman.guardrails.prompts.fields import FIELDS, drop, get, put


def test_every_dialect_that_clients_speak_has_its_words() -> None:
    surfaces = [*FIXED.values(), *BY_ACTION.values(), GENERATE_CONTENT, CONVERSE]
    assert {one.dialect for one in surfaces if not one.task} <= FIELDS.keys()
    for dialect, fields in FIELDS.items():
        sampling = set() if "realtime" in dialect else {"temperature", "top_p"}
        assert {"max_tokens", "tools", "reasoning"} | sampling <= fields.keys(), dialect


@pytest.mark.parametrize("dialect", list(FIELDS))
def test_what_is_put_is_found_and_dropped(dialect: str) -> None:
    for name, ways in FIELDS[dialect].items():
        body: dict[str, Any] = {}
        put(body, ways, 5)
        assert get(body, ways) == 5, name
        drop(body, ways)
        assert get(body, ways) is None, name


@pytest.mark.parametrize("dialect", list(FIELDS))
def test_a_value_is_changed_wherever_it_stands(dialect: str) -> None:
    for name, ways in FIELDS[dialect].items():
        for way in ways:
            body: dict[str, Any] = {}
            put(body, (way,), 5)
            put(body, ways, 6)
            assert get(body, (way,)) == 6, (name, way)
            drop(body, ways)
            assert get(body, ways) is None, (name, way)


def test_what_stands_in_several_places_is_changed_in_all() -> None:
    ways = FIELDS["openai_chat"]["max_tokens"]
    body = {"max_tokens": 5, "max_completion_tokens": 7}
    put(body, ways, 3)
    assert body == {"max_tokens": 3, "max_completion_tokens": 3}


def test_what_is_no_object_holds_nothing() -> None:
    ways = FIELDS["bedrock"]["temperature"]
    body: dict[str, Any] = {"inferenceConfig": "hot"}
    assert get(body, ways) is None
    drop(body, ways)
    put(body, ways, 0.5)
    assert body == {"inferenceConfig": {"temperature": 0.5}}
