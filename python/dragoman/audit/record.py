"""One line of the log.

Its bytes are what is hashed: JSON with the fields in this order, those left out that say nothing. What it says of a
prompt or an answer is a keyed hash, under a salt of the person that it is of: once that salt is destroyed, neither can
be tried against it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

Decision = Literal["", "allowed", "refused", "failed"]
_encode = msgspec.json.Encoder().encode


class AuditRecord(Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened. ``kind``: request, request.begin, or an act such as key.create, config.reload, content.read."""

    kind: str
    at_ms: int  # Unix time
    id: str = ""  # of the request
    key_id: str = ""
    actor: str = ""  # of an act: who, where it is no key
    organisation: str = ""
    team: str = ""
    user: str = ""
    app: str = ""
    subject: str = ""  # the end user, under a pseudonym
    address: str = ""  # where it came from
    endpoint: str = ""
    decision: Decision = ""
    rule: str = ""  # what refused it
    status: int = 0
    code: str = ""
    alias: str = ""
    provider: str = ""
    model: str = ""
    deployment: str = ""
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int | None = None
    guardrails: str = ""
    cache: str = ""
    snapshot: int = 0
    prompt: str = ""  # a keyed hash
    content: str = ""  # what is kept of it: masked, full
    detail: dict[str, Any] = {}

    def encoded(self) -> bytes:
        """The line. Half a surrogate pair, which no line can have, is told as a question mark."""
        try:
            return _encode(self)
        except UnicodeEncodeError:
            return _encode(_whole(msgspec.to_builtins(self)))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


read_record = msgspec.json.Decoder(AuditRecord).decode
