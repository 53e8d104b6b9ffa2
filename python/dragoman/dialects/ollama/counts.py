"""What an answer's last line says: why it stopped, and what it came to. Times are nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from dragoman.dialects.canonical import Json, Stop, Usage
from dragoman.dialects.lenient import count, text_of

# A filter is no word of its own; it is told rather than to pass for a whole answer.
_REASONS: dict[Stop, str] = {"length": "length", "filter": "content_filter"}
_STOPS: dict[str, Stop] = {native: stop for stop, native in _REASONS.items()}
# Fields of the last line that say how long things took; a client may divide by them.
_TIMES = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def read_stop(line: Json, *, called: bool) -> Stop:
    """Why it stopped; there is no word for calls."""
    return _STOPS.get(text_of(line, "done_reason")) or ("tool_calls" if called else "stop")


def read_counts(line: Json) -> Usage | None:
    """The tokens; a prompt that was in the cache may not be counted."""
    if "eval_count" not in line and "prompt_eval_count" not in line:
        return None
    return Usage(input=count(line.get("prompt_eval_count")), output=count(line.get("eval_count")), extra=line)


def last_line(stop: Stop | None, usage: Usage | None, own: Json | None) -> Json:
    """The fields that end an answer; of this dialect's own they are as they were."""
    if own is not None:
        return own
    counts = {} if usage is None else {"prompt_eval_count": usage.input, "eval_count": usage.output}
    return {"done": True, "done_reason": _REASONS.get(stop or "stop", "stop"), **dict.fromkeys(_TIMES, 1), **counts}


def moment(seconds: int) -> str:
    """A time as the dialect writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
