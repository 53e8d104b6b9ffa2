"""Claude through Vertex AI's rawPredict."""

from msgspec.structs import replace

from dragoman.dialects import anthropic
from dragoman.dialects.vertex_claude.envelope import NAME, read_error, write_request

DIALECT = replace(
    anthropic.DIALECT,
    name=NAME,
    wraps=anthropic.DIALECT.name,
    write_request=write_request,
    read_error=read_error,
)
