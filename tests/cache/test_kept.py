from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.cache.test_answers import KEPT

from dragoman.cache import kept
from dragoman.cache.kept import is_whole
from dragoman.dialects.anthropic.stops import STOPS as ANTHROPIC
from dragoman.dialects.bedrock.stops import STOPS as BEDROCK
from dragoman.dialects.cohere.stops import STOPS as COHERE
from dragoman.dialects.gemini.stops import STOPS as GEMINI
from dragoman.dialects.openai_chat.stops import STOPS as OPENAI
from dragoman.errors import ClientGone
from dragoman.guardrails.verdict import Verdict, Verdicts

OUTCOME = {"failure": "", "missing_done": False}


def run(**changes: Any) -> Any:
    usual = {
        "error": None,
        "status": 200,
        "outcome": SimpleNamespace(**OUTCOME),
        "translation": None,
        "guarding": None,
        "endpoint": "chat",
    }
    return SimpleNamespace(**(usual | changes))


def test_a_note_is_read_as_it_was_written() -> None:
    assert kept.decode(kept.encode(KEPT)) == KEPT


def test_it_tells_the_same_of_itself_each_time() -> None:
    assert KEPT.headers == [
        ("content-type", "text/plain"),
        ("x-dragoman-provider", "p"),
        ("x-dragoman-model", "m"),
        ("x-dragoman-deployment", "d"),
        ("x-dragoman-cache", "hit"),
        ("x-dragoman-cache-id", "req_1"),
    ]


@pytest.mark.parametrize("stops", [ANTHROPIC, BEDROCK, COHERE, GEMINI, OPENAI])
def test_whole_is_what_its_dialect_says_is_whole(stops: dict[str, str]) -> None:
    for native, stop in stops.items():
        assert is_whole(run(), native) is (stop in {"stop", "sequence", "tool_calls"}) or native == "compaction"


def test_an_end_that_is_not_told_is_none_but_of_vectors() -> None:
    assert not is_whole(run(), "")
    assert is_whole(run(endpoint="embeddings"), "")
    assert not is_whole(run(), "unheard_of")


def test_what_is_wrong_with_an_answer() -> None:
    verdicts = Verdicts()
    verdicts.note(Verdict(guardrail="g", ruling="block"))
    for changes in (
        {"error": ClientGone("gone")},
        {"status": 201},
        {"outcome": None},
        {"outcome": SimpleNamespace(**(OUTCOME | {"failure": "cut"}))},
        {"outcome": SimpleNamespace(**(OUTCOME | {"missing_done": True}))},
        {"translation": SimpleNamespace(cut=True, unfinished=False)},
        {"translation": SimpleNamespace(cut=False, unfinished=True)},
        {"guarding": SimpleNamespace(verdicts=verdicts)},
    ):
        assert not is_whole(run(**changes), "stop"), changes
    verdicts = Verdicts()
    verdicts.note(Verdict(guardrail="g", ruling="block", shadow=True))
    assert is_whole(run(guarding=SimpleNamespace(verdicts=verdicts)), "stop")
