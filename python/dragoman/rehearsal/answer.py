"""What is said: the choices of an answer, before any wire format.

The order of precedence is: a text that the script dictates, a tool call, the shape that ``response_format`` asks for,
prose. A tool is called when ``tool_choice`` demands it, and else when the last message is the user's and speaks of
it: it names the tool, one of the telling words in its name ("weather" for ``get_weather``), or the word "tool".
"""

from __future__ import annotations

import re
import string
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.errors import InvalidRequest
from dragoman.rehearsal.instance import instance
from dragoman.rehearsal.pieces import Pieces, Split
from dragoman.rehearsal.prose import passage
from dragoman.rehearsal.request import (
    EMPTY,
    ChatRequest,
    CompletionRequest,
    Generation,
    Message,
    Prompt,
    Tool,
    read_messages,
    read_tools,
)
from dragoman.rehearsal.script import Script

OUTPUT_LIMIT = 16_384  # tokens of an answer, all choices together
COMPLETION_LIMIT = 16  # what OpenAI's older endpoint takes for max_tokens when nothing is said
MOST_CALLS = 4
MOST_CHOICES = 128
# Tokens that are thought aloud, by reasoning_effort.
EFFORTS = {"minimal": 8, "low": 16, "medium": 32, "high": 64, "xhigh": 96, "max": 128}
_ID_SIGNS = string.ascii_letters + string.digits
_TELLS_NOTHING = frozenset({"call", "current", "fetch", "find", "from", "function", "list", "make", "tool", "with"})
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Call(Struct, frozen=True):
    """One call of a tool. ``pieces`` are its arguments, or a custom tool's input."""

    id: str
    tool: Tool
    pieces: list[str]


class Said(Struct, frozen=True, kw_only=True):
    """One choice. ``tokens`` counts what is said; what is thought in silence is the script's."""

    pieces: list[str] = []
    thought: list[str] = []  # aloud, before it
    thought_tokens: int = 0
    calls: list[Call] = []
    tokens: int = 0
    finish_reason: str = "stop"
    prefix: str = ""  # an echoed prompt; not counted
    legacy: bool = False  # the one call is written as ``function_call``


class Speaker(Struct, frozen=True):
    """What every choice is made with."""

    pieces: Pieces
    script: Script
    seed: int
    body: bytes

    def chance(self, index: int) -> Random:
        """The generator of one choice."""
        return Random(self.seed + index)  # noqa: S311 - made up on purpose

    def dictated(self) -> str | None:
        """The text that the script gives, if it does."""
        return self.body.decode("utf-8", "replace") if self.script.echo else self.script.text


def answer_chat(request: ChatRequest, speaker: Speaker) -> list[Said]:
    """The choices of a chat completion."""
    messages, tools = read_messages(request), read_tools(request)
    called = _called(request, speaker.script, tools, messages[-1])
    count = request.n or 1
    limit = _limit(request.max_completion_tokens or request.max_tokens, speaker.script, count)
    thought = _think(request, speaker, limit)
    limit -= thought.tokens
    said = []
    for index in range(count):
        chance = speaker.chance(index)
        if called and speaker.dictated() is None:
            said.append(_call(called, chance, speaker, limit, legacy=request.raw_tools == EMPTY))
        else:
            text = speaker.dictated()
            text = _made_up(request, speaker.script, chance) if text is None else text
            said.append(_speak(text, request, speaker, limit))
    return [msgspec.structs.replace(one, thought=thought.pieces, thought_tokens=thought.tokens) for one in said]


def _think(request: ChatRequest, speaker: Speaker, limit: int) -> Split:
    wanted = min(EFFORTS.get(request.reasoning_effort or "none", 0), limit // 2)
    return speaker.pieces.split(passage(speaker.chance(-1), wanted // 8 + 1) if wanted else "", wanted)


def answer_completion(request: CompletionRequest, prompts: list[Prompt], speaker: Speaker) -> list[Said]:
    """The choices of a completion: ``n`` for each prompt."""
    count = (request.n or 1) * len(prompts)
    if count > MOST_CHOICES:
        raise InvalidRequest(f"At most {MOST_CHOICES} choices, 'n' times the prompts.", param="n")
    limit = _limit(request.max_tokens or COMPLETION_LIMIT, speaker.script, count)
    said = []
    for index in range(count):
        prompt = prompts[index // (request.n or 1)]
        dictated = speaker.dictated()
        text = dictated if dictated is not None else " " + _prose(speaker.script, speaker.chance(index))
        spoken = _speak(text, request, speaker, limit)
        if request.echo and isinstance(prompt, str):
            spoken = msgspec.structs.replace(spoken, prefix=prompt)
        said.append(spoken)
    return said


def _limit(asked: int | None, script: Script, choices: int) -> int:
    most = OUTPUT_LIMIT // choices
    return max(0, min(asked or most, most) - (script.reasoning_tokens if asked else 0))


def _made_up(request: ChatRequest, script: Script, chance: Random) -> str:
    shape = request.response_format
    if shape is None or shape.type == "text":
        return _prose(script, chance)
    if shape.type == "json_object":
        return msgspec.json.encode({"rehearsal": True, "answer": passage(chance, 1)}).decode()
    if shape.type != "json_schema" or shape.json_schema is None:
        raise InvalidRequest("Invalid value for 'response_format'.", param="response_format", code="invalid_value")
    return msgspec.json.encode(instance(shape.json_schema.schema, chance)).decode()


def _prose(script: Script, chance: Random) -> str:
    if script.tokens is None:
        return passage(chance, chance.randint(2, 8))
    return passage(chance, script.tokens // 8 + 1)  # a sentence has more than eight tokens: enough, and cut to length


def _speak(text: str, request: Generation, speaker: Speaker, limit: int) -> Said:
    wanted = speaker.script.tokens if speaker.dictated() is None else None
    split = speaker.pieces.split(text, min(limit, wanted or limit))
    finish = "stop" if split.whole or (wanted is not None and wanted <= limit) else "length"
    stopped = _stop(split, request.stops, speaker.pieces)
    if stopped is not split:
        split, finish = stopped, "stop"
    return Said(pieces=split.pieces, tokens=split.tokens, finish_reason=speaker.script.finish_reason or finish)


def _stop(split: Split, stops: list[str], pieces: Pieces) -> Split:
    text = split.text if stops else ""
    found = [at for at in map(text.find, stops) if at >= 0]
    return pieces.split(text[: min(found)], split.tokens) if found else split


def _call(called: list[Tool], chance: Random, speaker: Speaker, limit: int, *, legacy: bool) -> Said:
    calls: list[Call] = []
    tokens = 0
    whole = True
    for tool in called:
        name = speaker.pieces.split(tool.name, OUTPUT_LIMIT).tokens
        split = speaker.pieces.split(_arguments(tool, chance), max(0, limit - tokens - name))
        calls.append(Call("call_" + "".join(chance.choices(_ID_SIGNS, k=24)), tool, split.pieces))
        tokens += name + split.tokens
        whole = whole and split.whole
    finish = ("function_call" if legacy else "tool_calls") if whole else "length"
    finish = speaker.script.finish_reason or finish
    return Said(calls=calls, tokens=min(tokens, limit), finish_reason=finish, legacy=legacy)


def _arguments(tool: Tool, chance: Random) -> str:
    if tool.function is None:
        return passage(chance, 1)
    parameters = tool.function.parameters
    made = instance(parameters, chance) if parameters else {}
    return msgspec.json.encode(made).decode()


def _called(request: ChatRequest, script: Script, tools: list[Tool], last: Message) -> list[Tool]:
    """The tools that are called, in order; none means that the answer is text."""
    if script.tool is not None:
        return [_named(script.tool, tools)]
    choice: Any = request.tool_choice if request.tool_choice is not None else request.function_call
    mode = choice if isinstance(choice, str) else "auto"
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        if not isinstance(allowed, dict):
            return [_named(_name_in(choice), tools)]
        offered = [_name_in(tool) for tool in allowed.get("tools") or () if isinstance(tool, dict)]
        tools = [tool for tool in tools if tool.name in offered]
        mode = str(allowed.get("mode", "auto"))
    if mode == "none" or (mode == "auto" and (not tools or last.role != "user")):
        return []
    if not tools:
        raise InvalidRequest("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    hinted = [tool for tool in tools if _speaks_of(last.text.lower(), tool.name)][:MOST_CALLS]
    if not hinted and (mode != "auto" or re.search(r"\btools?\b", last.text, re.IGNORECASE)):
        hinted = tools[:1]
    return hinted[:1] if request.parallel_tool_calls is False or request.raw_tools == EMPTY else hinted


def _named(name: str, tools: list[Tool]) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    raise InvalidRequest(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


def _name_in(choice: dict[str, Any]) -> str:
    inner = choice.get("function") or choice.get("custom") or choice
    return str(inner.get("name", "")) if isinstance(inner, dict) else ""


def _speaks_of(text: str, name: str) -> bool:
    words = {word.lower() for word in _WORDS.findall(name) if len(word) > 3} - _TELLS_NOTHING
    return name.lower() in text or any(word in text for word in words)
