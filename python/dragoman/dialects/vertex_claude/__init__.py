"""Claude through Vertex AI's rawPredict."""

from dragoman.dialects import anthropic
from dragoman.dialects.dialect import Dialect
from dragoman.dialects.vertex_claude.envelope import NAME, read_error, read_request, write_request

DIALECT = Dialect(
    name=NAME,
    wraps=anthropic.DIALECT.name,
    framing="sse",
    stream_type="text/event-stream",
    read_request=read_request,
    write_request=write_request,
    read_answer=anthropic.DIALECT.read_answer,
    write_answer=anthropic.DIALECT.write_answer,
    reader=anthropic.DIALECT.reader,
    writer=anthropic.DIALECT.writer,
    read_error=read_error,
    write_error=anthropic.DIALECT.write_error,
)
