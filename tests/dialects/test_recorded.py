"""Everything that was recorded comes back from the canonical form as it was, in its own dialect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as File

import pytest
from tests.dialects.recorded import Call, answer_difference, request_difference
from tests.gateway.recordings import read_traffic

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS

# The recordings' words for what a dialect's calls are.
APIS = {
    "openai_chat": {"chat"},
    "openai_responses": {"responses"},
    "anthropic": {"messages"},
    "gemini": {"generateContent", "streamGenerateContent"},
    "bedrock": {"converse", "converse-stream"},
    "bedrock_invoke": {"invoke", "invoke-stream"},
    "cohere": {"chat"},
    "ollama": {"chat"},
}
# What may differ, since it says nothing.
HARMLESS = (
    "tool_calls[0].index lost",  # of a call in a whole answer
    ".tools[0].type added",  # the only one there is
    ".tool_choice.type added",
    ".stream_options added",  # usage is asked for wherever it can be
    ".anthropic_version added",  # the only one there is
    ".safety_identifier added",  # OpenAI's later word for user, beside it
    ".id added",  # an answer without one gets its request's
    ".fileUri",  # recorded with its URL redacted
)
# What cannot be helped, and why.
EXPLAINED = {
    "53d3d729f791f6fe": "a stream that failed: a failure is told anew",
    "622a5ab56368ff8f": "a stream without its last chunk",
    "2cd8f7b9d8e37a30": "chunks without an id",
    "8461cb9b0355cc1e": "reasoning that came without an item of its own",
    "bda3a6587e073ad2": "reasoning that came without an item of its own",
    "b942ceb5b039669b": "reasoning that came without an item of its own",
    "d832fdc4b280e251": "a stream that calls itself JSON",
    "d0ed2ba1cc8cf2f6": "a stream that calls itself JSON",
    "7b8279afe7a32486": "a text completion, not a message",
    "7f2cc85239628426": "asked to name its enums by number",
    "7bc2e51bcc29f135": "asked to name its enums by number",
    "c772225ba55162a0": "asked to name its enums by number",
    "e262c5179e37ef5f": "a stream as one array",
    "c2b4d76511dc2f73": "an answer whose body was not recorded",
    "c9b0aa2b5c90b0f1": "a call whose arguments are null, and so an empty object",
    "d5dc2da2658e5ed2": "a role that Google refuses too",
    "63888e5c4d6a404b": "a call of which no body was recorded",
}


def is_of(dialect: Dialect, call: Call) -> bool:
    """Whether a call is of a dialect, and not of another with the same path's name."""
    if dialect.name == "bedrock_invoke":
        return "claude" in call.url
    if dialect.name == "anthropic":
        return "/threads/" not in call.url
    if dialect.name == "cohere":
        return call.provider == "cohere" and "/v2/chat" in call.url
    if dialect.name == "ollama":
        return "/api/chat" in call.url
    return not (dialect.name == "openai_chat" and (call.provider == "cohere" or "/api/chat" in call.url))


def calls(recorded: File, dialect: Dialect) -> list[Call]:
    """The recorded calls of a dialect; of one that none were recorded of, those of the dialect that it wraps."""
    if dialect.name not in APIS:
        return calls(recorded, DIALECTS[dialect.wraps])
    rows = [Call.of(row) for row in read_traffic(recorded) if row["api"] in APIS[dialect.name]]
    return [call for call in rows if call is not None and is_of(dialect, call)]


def changed(tried: list[Call], compare: Callable[[Dialect, Call], str], dialect: Dialect) -> list[str]:
    wrong = []
    for call in tried:
        try:
            found = compare(dialect, call)
        except Unreadable as error:
            found = error.message
        if found and call.id not in EXPLAINED and not any(words in found for words in HARMLESS):
            wrong.append(f"{call.id} {call.provider} {found}")
    return wrong


@pytest.mark.recorded
@pytest.mark.parametrize("name", APIS)
def test_recorded_requests_come_back(name: str, recorded: File, say: Callable[[str], None]) -> None:
    dialect = DIALECTS[name]
    tried = calls(recorded, dialect)
    assert changed(tried, request_difference, dialect) == []
    assert len(tried) > 8
    say(f"recorded requests that come back in {name}: {len(tried)} of {len(tried)}")


@pytest.mark.recorded
@pytest.mark.parametrize("name", APIS)
def test_recorded_answers_come_back(name: str, recorded: File, say: Callable[[str], None]) -> None:
    dialect = DIALECTS[name]
    tried = [call for call in calls(recorded, dialect) if call.status == 200]
    assert changed(tried, answer_difference, dialect) == []
    assert len(tried) > 8
    streams = sum(call.is_stream for call in tried)
    say(f"recorded answers that come back in {name}: {len(tried)} of {len(tried)}, {streams} of them streams")
