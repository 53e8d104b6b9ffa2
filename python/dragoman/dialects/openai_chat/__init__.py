"""OpenAI's chat completions: the dialect that most providers speak, more or less."""

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.openai_chat.answer import read_answer, write_answer
from dragoman.dialects.openai_chat.content import NAME
from dragoman.dialects.openai_chat.errors import read_error, write_error
from dragoman.dialects.openai_chat.events_in import EventReader
from dragoman.dialects.openai_chat.events_out import EventWriter
from dragoman.dialects.openai_chat.read_request import read_request
from dragoman.dialects.openai_chat.write_request import write_request

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
