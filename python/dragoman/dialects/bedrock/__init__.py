"""Amazon Bedrock's Converse."""

from dragoman.dialects.bedrock.answer import read_answer, write_answer
from dragoman.dialects.bedrock.blocks import NAME
from dragoman.dialects.bedrock.errors import read_error, write_error
from dragoman.dialects.bedrock.events_in import EventReader
from dragoman.dialects.bedrock.events_out import EventWriter
from dragoman.dialects.bedrock.read_request import read_request
from dragoman.dialects.bedrock.write_request import write_request
from dragoman.dialects.dialect import Dialect

DIALECT = Dialect(
    name=NAME,
    framing="eventstream",
    stream_type="application/vnd.amazon.eventstream",
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
