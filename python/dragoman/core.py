"""The engines in Rust, for programs that need no gateway; each is documented in ``_core.pyi``."""

from dragoman._core import (
    Answer,
    AnswerError,
    BodyError,
    Exchange,
    FrameError,
    Outcome,
    Reply,
    RequestBody,
    SseEvent,
    SseReader,
    Target,
    Terms,
    Upstream,
    Usage,
    read_answer,
    read_error,
)

__all__ = [
    "Answer",
    "AnswerError",
    "BodyError",
    "Exchange",
    "FrameError",
    "Outcome",
    "Reply",
    "RequestBody",
    "SseEvent",
    "SseReader",
    "Target",
    "Terms",
    "Upstream",
    "Usage",
    "read_answer",
    "read_error",
]
