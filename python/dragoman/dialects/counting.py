"""Dialects whose clients may ask how long a prompt is, and whose providers answer that."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from dragoman.dialects import anthropic, bedrock, gemini
from dragoman.dialects.anthropic import count_tokens as of_anthropic
from dragoman.dialects.bedrock import count_tokens as of_bedrock
from dragoman.dialects.canonical import Request
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.gemini import count_tokens as of_gemini


class Counting(Struct, frozen=True, kw_only=True):
    """How a dialect does it."""

    read_request: Callable[[bytes, Path], Request]  # raises Unreadable
    write_request: Callable[[Request, Target], Outgoing]
    read: Callable[[bytes], int]  # raises Unreadable
    write: Callable[[int], bytes]


COUNTING: Mapping[str, Counting] = {
    anthropic.DIALECT.name: Counting(
        read_request=anthropic.DIALECT.read_request,
        write_request=of_anthropic.write_count_request,
        read=of_anthropic.read_count,
        write=of_anthropic.write_count,
    ),
    gemini.DIALECT.name: Counting(
        read_request=of_gemini.read_count_request,
        write_request=of_gemini.write_count_request,
        read=of_gemini.read_count,
        write=of_gemini.write_count,
    ),
    bedrock.DIALECT.name: Counting(
        read_request=of_bedrock.read_count_request,
        write_request=of_bedrock.write_count_request,
        read=of_bedrock.read_count,
        write=of_bedrock.write_count,
    ),
}
