"""Claude through Amazon Bedrock's InvokeModel."""

from dragoman.dialects import anthropic
from dragoman.dialects.bedrock.errors import read_error, write_error
from dragoman.dialects.bedrock_invoke.envelope import NAME, EventReader, EventWriter, read_request, write_request
from dragoman.dialects.dialect import Dialect

DIALECT = Dialect(
    name=NAME,
    wraps=anthropic.DIALECT.name,
    framing="eventstream",
    stream_type="application/vnd.amazon.eventstream",
    read_request=read_request,
    write_request=write_request,
    read_answer=anthropic.DIALECT.read_answer,
    write_answer=anthropic.DIALECT.write_answer,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
