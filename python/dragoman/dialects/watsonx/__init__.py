"""IBM's watsonx.ai."""

from msgspec.structs import replace

from dragoman.dialects import openai_chat
from dragoman.dialects.watsonx.envelope import NAME, read_error, read_request, write_request

DIALECT = replace(
    openai_chat.DIALECT,
    name=NAME,
    wraps=openai_chat.DIALECT.name,
    read_request=read_request,
    write_request=write_request,
    read_error=read_error,
)
