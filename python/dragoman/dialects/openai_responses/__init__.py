"""OpenAI's Responses API."""

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.openai_responses.answer import read_answer, write_answer
from dragoman.dialects.openai_responses.content import NAME
from dragoman.dialects.openai_responses.errors import read_error, write_error
from dragoman.dialects.openai_responses.events_in import EventReader
from dragoman.dialects.openai_responses.events_out import EventWriter
from dragoman.dialects.openai_responses.read_request import read_request
from dragoman.dialects.openai_responses.write_request import write_request

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
