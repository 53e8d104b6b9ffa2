"""Every recorded answer, told to clients of every dialect: read back there, it says the same.

What the vendors' SDKs make of the same bytes is in their own types: each answer and each event is validated by them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import pytest
from tests.dialects.across import target
from tests.dialects.recorded import Call, frames_of
from tests.dialects.test_recorded import APIS, EXPLAINED, calls
from tests.dialects.vendors import answer_fault, stream_fault

from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    Image,
    Metered,
    Refusal,
    Started,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.dialect import Asked, Path
from dragoman.dialects.fields import object_of
from dragoman.dialects.table import DIALECTS

# A request of a client that wants all that can be told.
ASKED: dict[str, Any] = {
    "openai_chat": {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}},
    "openai_responses": {"model": "m", "input": "Hi", "stream": True},
    "anthropic": {
        "model": "m",
        "max_tokens": 9,
        "messages": [],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    "gemini": {"contents": []},
    "bedrock": {"messages": []},
    "cohere": {"model": "m", "messages": []},
    "ollama": {"model": "m", "messages": []},
    "watsonx": {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}},
    "bedrock_invoke": {"max_tokens": 9, "messages": [], "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "vertex_claude": {"max_tokens": 9, "messages": [], "thinking": {"type": "enabled", "budget_tokens": 1024}},
}
# In whose words the answers of a dialect are.
DIALECT_OF = {"bedrock_invoke": "anthropic", "vertex_claude": "anthropic", "watsonx": "openai_chat"}
# Stops that some dialect has no word of its own for, by the word that it uses.
ALIKE = {"sequence": "stop", "refusal": "filter", "pause": "stop", "error": "stop"}


def asked_by(client: str) -> Asked:
    request = DIALECTS[client].read_request(json.dumps(ASKED[client]).encode(), Path(model="m"))
    return Asked(request=request, request_id="req_1", created_s=1)


class Said:
    """What an answer says, whatever its dialect."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[tuple[str, Any]] = []
        self.stop = ""
        self.usage: tuple[int, int] | None = None

    def add_call(self, name: str, arguments: str) -> None:
        self.calls.append((name, object_of(arguments) if object_of(arguments) is not None else arguments))

    def used(self, usage: Usage | None) -> None:
        if usage is not None:
            self.usage = (usage.input, usage.output)

    def stopped(self, stop: str | None) -> None:
        self.stop = ALIKE.get(stop or "stop", stop or "stop")
        if self.calls and self.stop == "stop":
            self.stop = "tool_calls"

    def differs(self, other: Said) -> str:
        """What is not the same; a refusal may be text, and a filter nothing but a stop."""
        for name in ("text", "calls", "stop", "usage"):
            one, two = getattr(self, name), getattr(other, name)
            if one != two and not (name == "usage" and one in (None, (0, 0)) and two in (None, (0, 0))):
                return f"{name}: {str(one)[:120]} became {str(two)[:120]}"
        return ""


def said_in(answer: Answer) -> Said:
    said, first = Said(), answer.choices[0]
    for block in first.blocks:
        if isinstance(block, Text | Refusal):
            said.text += block.text
        elif isinstance(block, ToolCall):
            said.add_call(block.name, block.arguments)
    said.stopped(first.stop)
    said.used(answer.usage)
    return said


def said_in_events(events: list[Event]) -> Said:
    said = Said()
    open_block: Any = None
    pieces = ""
    for event in [*events, None]:
        if event is None or (isinstance(event, BlockStarted) and event.choice == 0):
            if isinstance(open_block, ToolCall):
                said.add_call(open_block.name, open_block.arguments + pieces)
            elif isinstance(open_block, Text | Refusal):
                said.text += open_block.text + pieces
            open_block, pieces = (None if event is None else event.block), ""
        elif isinstance(event, Delta) and event.choice == 0:
            pieces += event.text
        elif isinstance(event, Metered) or (isinstance(event, Started) and event.usage is not None):
            said.used(event.usage)
        elif isinstance(event, Finished) and event.choice == 0:
            said.stopped(event.stop)
    return said


def through_whole(provider: str, client: str, call: Call) -> str:
    """How a whole answer differs when a client of another dialect gets it."""
    answer = DIALECTS[provider].read_answer(call.answer, call.target)
    if not answer.choices[0].stop:
        return ""
    written = DIALECTS[client].write_answer(answer, asked_by(client))
    if answer.dialect != DIALECT_OF.get(client, client) and (fault := answer_fault(client, written)):
        return fault  # of a vendor's own answers, which are as it likes, nothing is said
    return said_in(answer).differs(said_in(DIALECTS[client].read_answer(written, target(client))))


def through_stream(provider: str, client: str, call: Call) -> str:
    """How a stream does."""
    reader = DIALECTS[provider].reader(call.target)
    events = reader.read(frames_of(call.answer, call.content_type)) + reader.finish()
    if any(isinstance(event, Failed) for event in events):
        return ""
    writer = DIALECTS[client].writer(asked_by(client))
    frames = frames_of(writer.write(events) + writer.finish(), DIALECTS[client].stream_type)
    if DIALECT_OF.get(provider, provider) != DIALECT_OF.get(client, client) and (fault := stream_fault(client, frames)):
        return fault
    again = DIALECTS[client].reader(target(client))
    return said_in_events(events).differs(said_in_events(again.read(frames) + again.finish()))


def is_told(provider: str, call: Call) -> bool:
    """Whether an answer says anything that is compared: several choices are told to some clients only."""
    if call.status != 200 or call.id in EXPLAINED:
        return False
    if call.is_stream:
        return True
    choices = DIALECTS[provider].read_answer(call.answer, call.target).choices
    blocks = choices[0].blocks
    # A picture is told as a link in text, a custom tool's input as an object, where there is no other word for it.
    plain = not any(isinstance(block, Image) or getattr(block, "kind", "function") == "custom" for block in blocks)
    return len(choices) == 1 and plain


@pytest.mark.recorded
@pytest.mark.parametrize("client", DIALECTS)
def test_every_answer_reaches_clients_of_every_dialect(client: str, recorded: File, say: Callable[[str], None]) -> None:
    tried: Counter[str] = Counter()
    wrong: list[str] = []
    for provider in APIS:
        for call in calls(recorded, DIALECTS[provider]):
            if not is_told(provider, call):
                continue
            tried[provider] += 1
            through = through_stream if call.is_stream else through_whole
            if found := through(provider, client, call):
                wrong.append(f"{provider} {call.id} {found}")
    failed = Counter(line.split()[0] for line in wrong)
    told = ", ".join(f"{name} {count - failed[name]} of {count}" for name, count in tried.items())
    say(f"recorded answers told to a client of {client}: {told}")
    assert wrong == []
