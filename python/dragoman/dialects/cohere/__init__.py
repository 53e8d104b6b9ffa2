"""Cohere's chat, version 2."""

from dragoman.dialects.cohere.answer import read_answer, write_answer
from dragoman.dialects.cohere.content import NAME
from dragoman.dialects.cohere.errors import read_error, write_error
from dragoman.dialects.cohere.events_in import EventReader
from dragoman.dialects.cohere.events_out import EventWriter
from dragoman.dialects.cohere.read_request import read_request
from dragoman.dialects.cohere.write_request import write_request
from dragoman.dialects.dialect import Dialect

DIALECT = Dialect(
    name=NAME,
    framing="sse",
    stream_type="text/event-stream",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
