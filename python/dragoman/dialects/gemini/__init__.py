"""Gemini's generateContent, of Google AI Studio and of Vertex AI."""

from msgspec.structs import replace

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.gemini.answer import read_answer, write_answer
from dragoman.dialects.gemini.errors import read_error, write_error
from dragoman.dialects.gemini.events_in import EventReader
from dragoman.dialects.gemini.events_out import ArrayWriter, EventWriter
from dragoman.dialects.gemini.parts import NAME
from dragoman.dialects.gemini.read_request import read_request
from dragoman.dialects.gemini.write_request import write_request

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

# For clients that want no server-sent events; providers are never asked like that.
ARRAY = replace(DIALECT, writer=ArrayWriter, stream_type="application/json")
