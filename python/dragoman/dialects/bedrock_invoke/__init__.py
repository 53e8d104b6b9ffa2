"""Claude through Amazon Bedrock's InvokeModel."""

from msgspec.structs import replace

from dragoman.dialects import anthropic
from dragoman.dialects.bedrock.errors import read_error, write_error
from dragoman.dialects.bedrock_invoke.envelope import NAME, EventReader, EventWriter, write_request

DIALECT = replace(
    anthropic.DIALECT,
    name=NAME,
    wraps=anthropic.DIALECT.name,
    framing="eventstream",
    stream_type="application/vnd.amazon.eventstream",
    write_request=write_request,
    reader=EventReader,
    writer=EventWriter,
    read_error=read_error,
    write_error=write_error,
)
