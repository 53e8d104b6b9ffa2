"""All that a frame of a session says, with its places.

Frames are looked through whatever they are: an event or a field that nobody has heard of yet is looked at as well. Left
out is what is the protocol's own (ids, kinds, settings), where the protocol has it, and never within what is free to be
anything: arguments, results, schemas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from dragoman.guardrails.passages import DEPTH, strings
from dragoman.guardrails.verdict import Passage

if TYPE_CHECKING:
    from dragoman.config.guards import Place
    from dragoman.dialects.canonical import Json

# Members whose strings are the protocol's. All names here are in lower case and without underscores: Google's protocol
# takes them written both ways.
# fmt: off
STRUCTURE = frozenset((
    "type", "id", "eventid", "itemid", "previousitemid", "callid", "responseid", "conversationid", "conversation",
    "object", "status", "role", "model", "voice", "format", "mimetype", "modalities", "outputmodalities",
    "responsemodalities", "toolchoice", "include", "detail", "eagerness", "truncation", "obfuscation",
    "maxoutputtokens", "turncompletereason", "sessionid", "handle", "newhandle", "timeleft", "turndetection",
    "language", "languagecode", "traffictype", "servicetier",
))
# fmt: on
# Members that are free to be anything.
FREE = frozenset(("arguments", "args", "parameters", "parametersjsonschema", "responseschema", "metadata"))
# Members that hold sound or pictures, where they are strings.
MEDIA = frozenset(("audio", "data", "filedata", "imageurl", "fileuri"))
# Members that hold an answer's own words.
WORDS = frozenset(("text", "transcript", "delta"))


class Where(Struct, frozen=True):
    """What a text stands in."""

    place: Place
    role: str
    aside: bool = False  # no words of an answer's own, whatever it is called


ASKED = Where("input", "user")
ANSWERED = Where("output", "assistant")
# By an item's kind, or the member that it is.
PLACES = {
    "function_call_output": Where("tool_results", "tool"),
    "functionresponse": Where("tool_results", "tool"),
    "functionresponses": Where("tool_results", "tool"),
    "function_call": Where("tool_arguments", "assistant"),
    "mcp_call": Where("tool_arguments", "assistant"),
    "mcp_approval_request": Where("tool_arguments", "assistant"),
    "functioncall": Where("tool_arguments", "assistant"),
    "functioncalls": Where("tool_arguments", "assistant"),
}
ROLES = {"instructions": "system", "systeminstruction": "system", "tools": "tools"}
SPEAKERS = {
    "user": "user",
    "system": "system",
    "developer": "developer",
    "assistant": "assistant",
    "model": "assistant",
}


class Said(Struct):
    """What a frame says."""

    passages: list[Passage] = []
    has_media: bool = False  # sound or pictures, which nobody here looks into


def said_in(value: Any, where: Where = ASKED) -> Said:
    """What a frame says, or a part of one."""
    said = Said()
    _walk(value, "", where, said, DEPTH)
    return said


def plain(name: str) -> str:
    """A member's name, however it is written."""
    return name.replace("_", "").lower()


def _walk(value: Any, name: str, where: Where, said: Said, depth: int) -> None:
    if isinstance(value, str):
        _tell(value, name, where, said)
    elif depth and isinstance(value, list):
        for one in value:
            _walk(one, name, where, said, depth - 1)
    elif depth and isinstance(value, dict):
        where = _of_item(value, where)
        for written, inner in value.items():
            member = plain(written)
            if member in FREE or (member == "response" and (where.place == "tool_results" or where.role == "tools")):
                place: Place = "tool_arguments" if member in ("arguments", "args") else where.place
                said.passages += [Passage(place, text, where.role, aside=True) for text in strings(inner) if text]
            else:
                _walk(inner, member, _of_member(member, where), said, depth - 1)


def _of_item(item: Json, where: Where) -> Where:
    kind, role = item.get("type"), item.get("role")
    where = PLACES.get(kind, where) if isinstance(kind, str) else where
    where = replace(where, role=SPEAKERS.get(role, where.role)) if isinstance(role, str) else where
    return replace(where, aside=True) if item.get("thought") is True else where


def _of_member(member: str, where: Where) -> Where:
    if member == "output" and where.place == "tool_arguments":
        return PLACES["function_call_output"]  # of a tool that the provider has run itself
    if member in ROLES:
        return replace(where, role=ROLES[member])
    return PLACES.get(member, where)


def _tell(text: str, name: str, where: Where, said: Said) -> None:
    if name in MEDIA and text:
        said.has_media = True
        if not text.startswith("http"):
            return
    if text and name not in STRUCTURE:
        said.passages.append(Passage(where.place, text, where.role, aside=where.aside or name not in WORDS))
