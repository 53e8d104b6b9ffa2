"""Recorded calls, read into the canonical form and written back in their own dialect: what differs, if anything does.

Bodies are compared by what they mean. A null, an empty list, string or object, and ``false`` say nothing; a text is the
same alone and as the only part of a list; Google's fields have two spellings, and base64 has two alphabets.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from dragoman.core import EventStreamReader, SseReader
from dragoman.dialects.canonical import Delta, Event, Metered
from dragoman.dialects.dialect import Asked, Dialect, Frame, Path, Target
from dragoman.dialects.losses import Losses

NOTHING = (None, [], {}, "")
LARGEST_EVENT = 1 << 24
# Objects whose keys are the user's own.
FREE = frozenset({"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"})


@dataclass(frozen=True)
class Call:
    """One recorded call."""

    id: str
    provider: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    status: int
    content_type: str
    answer: bytes

    @classmethod
    def of(cls, row: dict[str, Any]) -> Call | None:
        """The call of a row; ``None`` where no JSON object was sent."""
        request, response = row["request"], row["response"]
        try:
            body = json.loads(request["body"]) if isinstance(request["body"], str) else request["body"]
        except ValueError:
            return None
        if not isinstance(body, dict):
            return None
        told = response["body"]
        encoded = response["body_encoding"] == "base64"
        answer = base64.b64decode(told) if encoded else told if isinstance(told, str) else json.dumps(told)
        return cls(
            row["id"],
            row["provider"],
            request["url"],
            {name.lower(): value for name, value in (request.get("headers") or {}).items()},
            body,
            response["status"],
            response.get("content_type") or "",
            answer if isinstance(answer, bytes) else answer.encode(),
        )

    @property
    def at(self) -> Path:
        """What its path says."""
        named = re.search(
            r"/models?/([^/?]+?)(?::|/)((?:stream)?[gG]enerateContent|converse[\w-]*|invoke[\w-]*)", unquote(self.url)
        )
        if named is None:
            return Path(headers=self.headers)
        return Path(model=named[1], action=named[2], stream="tream" in named[2], headers=self.headers)

    @property
    def target(self) -> Target:
        """Whom it was sent to."""
        return Target(model=self.at.model or self.body.get("model") or "", provider=self.provider)

    @property
    def is_stream(self) -> bool:
        """Whether events came."""
        return "event" in self.content_type or "ndjson" in self.content_type or self.answer[:5] in (b"data:", b"event")


def frames_of(data: bytes, content_type: str) -> list[Frame]:
    """The events of a stream."""
    if "vnd.amazon" in content_type:
        return EventStreamReader(LARGEST_EVENT).feed(data)
    if "ndjson" in content_type:
        return [("", line) for line in data.splitlines()]
    reader = SseReader(LARGEST_EVENT)
    frames = reader.feed(data) + reader.finish()[0]
    return [(frame.event or "", bytes(frame.data)) for frame in frames if not frame.is_comment]


def normal(value: Any, *, spelt: bool = False, free: bool = False) -> Any:
    """A body by what it means; ``spelt``: in Google's two spellings."""
    if isinstance(value, list):
        return [normal(item, spelt=spelt, free=free) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        name = re.sub(r"_([a-z])", lambda found: found[1].upper(), key) if spelt and not free else key
        wrapped = [item] if spelt and name in ("tools", "contents", "parts") and isinstance(item, dict) else item
        plain = normal(wrapped, spelt=spelt, free=free or (spelt and name in FREE))
        if spelt and name in ("data", "thoughtSignature") and isinstance(plain, str):
            plain = plain.replace("-", "+").replace("_", "/").rstrip("=")
        if plain not in NOTHING and plain is not False:
            one = [plain] if name == "stop" and isinstance(plain, str) else plain
            out[name] = _single(one) if name in ("content", "system") else one
    return out


def _single(content: Any) -> Any:
    """A text that is the only part of its list."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        if "text" in part and part.keys() <= {"type", "text"}:
            return part["text"]
    return content


def difference(one: Any, other: Any, at: str = "") -> str:
    """The first place in which two bodies differ; empty: none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                return f"{at}.{key} {'lost' if key in one else 'added'}"
            if found := difference(one[key], other[key], f"{at}.{key}"):
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found_in = (difference(a, b, f"{at}[{index}]") for index, (a, b) in enumerate(zip(one, other, strict=True)))
        return next((found for found in found_in if found), "")
    return "" if one == other else f"{at}: {str(one)[:80]} became {str(other)[:80]}"


def request_difference(dialect: Dialect, call: Call) -> str:
    """How its request differs when it is written back."""
    losses = Losses()
    request = dialect.read_request(json.dumps(call.body).encode(), call.at)
    written = dialect.write_request(request, call.target, losses)
    spelt = dialect.name == "gemini"
    found = difference(normal(call.body, spelt=spelt), normal(json.loads(written.body), spelt=spelt))
    return found or losses.header()


def answer_difference(dialect: Dialect, call: Call) -> str:
    """How its answer does."""
    if call.is_stream:
        return _stream_difference(dialect, call)
    spelt = dialect.name == "gemini"
    written = dialect.write_answer(dialect.read_answer(call.answer, call.target), asked(dialect, call))
    return difference(normal(json.loads(call.answer), spelt=spelt), normal(json.loads(written), spelt=spelt))


def asked(dialect: Dialect, call: Call) -> Asked:
    """What an answer to it is written for."""
    request = dialect.read_request(json.dumps(call.body).encode(), call.at)
    return Asked(request=request, request_id="req_1", created_s=1)


def _stream_difference(dialect: Dialect, call: Call) -> str:
    reader = dialect.reader(call.target)
    events = reader.read(frames_of(call.answer, call.content_type))
    events += reader.finish()
    writer = dialect.writer(asked(dialect, call))
    written = b"".join(writer.write([event]) for event in events) + writer.finish()
    again = dialect.reader(call.target)
    read = again.read(frames_of(written, dialect.stream_type))
    read += again.finish()
    if dialect.name == "openai_chat" and not (call.body.get("stream_options") or {}).get("include_usage"):
        events = [event for event in events if not isinstance(event, Metered)]  # not for who has not asked
    for one, other in zip(joined(events), joined(read), strict=False):
        if one != other:
            return f"{one} became {other}"
    return "" if len(joined(events)) == len(joined(read)) else "events were lost or added"


def joined(events: list[Event]) -> list[Event]:
    """Events, with the deltas of a block put together: how a text is cut means nothing."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if (
            isinstance(event, Delta)
            and isinstance(last, Delta)
            and (event.index, event.choice) == (last.index, last.choice)
        ):
            out[-1] = Delta(index=event.index, text=last.text + event.text, choice=event.choice)
        else:
            out.append(event)
    return out
