"""Anthropic's Messages."""

from dragoman.dialects.anthropic.answer import read_answer, write_answer
from dragoman.dialects.anthropic.blocks import NAME
from dragoman.dialects.anthropic.errors import read_error, write_error
from dragoman.dialects.anthropic.events_in import EventReader
from dragoman.dialects.anthropic.events_out import EventWriter
from dragoman.dialects.anthropic.read_request import read_request
from dragoman.dialects.anthropic.write_request import write_request
from dragoman.dialects.dialect import Dialect

DIALECT = Dialect(
    name=NAME,
    framing="sse",
    stream_type="text/event-stream; charset=utf-8",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
