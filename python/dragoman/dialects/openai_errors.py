"""Errors in OpenAI's shape: as a body, and as the last event of a stream that has begun.

OpenAI's SDKs raise on an event whose data has a truthy top-level ``error``; no ``[DONE]`` follows it.
"""

from __future__ import annotations

import msgspec

from dragoman.errors import RequestError


def error_body(error: RequestError, request_id: str) -> bytes:
    """The body of an error's answer."""
    return msgspec.json.encode(
        {
            "error": {
                "message": error.message,
                "type": error.type,
                "param": error.param,
                "code": error.error_code,
                "request_id": request_id,
            }
        }
    )


def error_event(error: RequestError, request_id: str) -> bytes:
    """The last event of a stream that failed after it began."""
    return b"data: " + error_body(error, request_id) + b"\n\n"
