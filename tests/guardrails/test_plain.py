from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.dialects.dialect import Path as At
from dragoman.dialects.dialect import Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS
from dragoman.guardrails import passages
from dragoman.guardrails.plain import of_chat, of_completion
from dragoman.guardrails.verdict import Passage

CHAT = DIALECTS["openai_chat"]
USER = {"role": "user", "content": "Hi."}


def asked(**fields: Any) -> list[Passage] | None:
    return of_chat(json.dumps({"model": "m", "messages": [USER]} | fields).encode())


def said(**message: Any) -> list[Passage] | None:
    return of_completion(json.dumps({"choices": [{"index": 0, "message": {"role": "assistant"} | message}]}).encode())


def test_texts() -> None:
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "assistant", "content": ""}, USER]
    assert asked(messages=messages, temperature=1, metadata={"a": "b"}) == [
        Passage("input", "Be kind.", "developer"),
        Passage("input", "Hi."),
    ]
    assert said(content="Hello.", annotations=[]) == [Passage("output", "Hello.", "assistant")]
    assert said(content=None, refusal="No.") == [Passage("output", "No.", "assistant")]


MORE: list[dict[str, Any]] = [
    {"messages": []},
    {"messages": [USER | {"name": "ann"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi."}]}]},
    {"messages": [{"role": "tool", "content": "Hi.", "tool_call_id": "c"}]},
    {"messages": [{"role": "assistant", "content": None}]},
    {"tools": []},
    {"functions": [{"name": "f"}]},
    {"response_format": {"type": "json_object"}},
    {"web_search_options": {}},
    {"messages": 5},
]


@pytest.mark.parametrize("fields", MORE)
def test_what_says_more_is_left_to_the_reader(fields: dict[str, Any]) -> None:
    assert asked(**fields) is None


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": None},
        {"content": "a", "tool_calls": []},
        {"content": "a", "reasoning_content": "b"},
        {"content": "a", "annotations": [{"type": "url_citation"}]},
        {"content": [{"type": "text", "text": "a"}]},
    ],
)
def test_answers_that_say_more(message: dict[str, Any]) -> None:
    assert said(**message) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"choices": []}', b'{"choices": 1}', b"\xff"])
def test_what_is_none(raw: bytes) -> None:
    assert of_chat(raw) is None
    assert of_completion(raw) is None


@pytest.mark.recorded
def test_both_readers_find_the_same(recorded: Path) -> None:
    plain = 0
    with gzip.open(recorded / "traffic" / "traffic.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if not row["request"]["url"].endswith("/chat/completions"):
                continue
            for side in ("request", "response"):
                body = row[side]["body"]
                raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                texts = of_chat(raw) if side == "request" else of_completion(raw)
                if texts is None:
                    continue
                plain += 1
                try:
                    if side == "request":
                        read = passages.of_request(CHAT.read_request(raw, At()))
                    else:
                        read = passages.of_answer(CHAT.read_answer(raw, Target(model="m")))
                except Unreadable:
                    continue
                assert texts == read, row["id"]
    assert plain > 200
