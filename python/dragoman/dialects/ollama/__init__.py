"""Ollama's own chat: a JSON value a line, sampling under ``options``, calls without ids."""

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.ollama.answer import read_answer, write_answer
from dragoman.dialects.ollama.content import NAME
from dragoman.dialects.ollama.errors import read_error, write_error
from dragoman.dialects.ollama.events_in import EventReader
from dragoman.dialects.ollama.events_out import EventWriter
from dragoman.dialects.ollama.read_request import read_request
from dragoman.dialects.ollama.write_request import write_request

DIALECT = Dialect(
    name=NAME,
    framing="ndjson",
    stream_type="application/x-ndjson",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
