"""The audit log as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dragoman.config.part import Part

PositiveInt = Annotated[int, Meta(ge=1)]


class Audit(Part, frozen=True, kw_only=True):
    """The record of every request and of every act of an operator."""

    mode: Annotated[
        Literal["off", "standard", "strict"], "strict: no request is sent before the record of it is durable"
    ] = "standard"
    directory: Annotated[str, "empty: <data_dir>/audit"] = ""
    copy_heads_to: Annotated[str, "a directory elsewhere: shows a log that was cut back; empty: none"] = ""
    segment_records: Annotated[PositiveInt, "so many are signed together"] = 10_000
    segment_s: Annotated[float, Meta(gt=0), "or those of so long"] = 60.0
    queue_bytes: Annotated[PositiveInt, "records that wait to be written, at most"] = 64 * 1024 * 1024
    content: Annotated[
        Literal["off", "masked", "full"],
        "what is kept of prompts and answers, sealed; masked: prompts, as they are sent",
    ] = "off"
    content_days: Annotated[PositiveInt, "how long"] = 30
    max_content_bytes: Annotated[PositiveInt, "of one prompt or answer; the rest is left out"] = 1024 * 1024
    request_days: Annotated[PositiveInt, "records of requests are kept so long"] = 400
    act_days: Annotated[PositiveInt, "records of operators' acts, and of who read content"] = 2190
    syslog: Annotated[str, "a copy of each record to udp://host:port (RFC 5424); empty: none"] = ""
