"""IBM's watsonx.ai."""

from dragoman.dialects import openai_chat
from dragoman.dialects.dialect import Dialect
from dragoman.dialects.watsonx.envelope import NAME, read_error, read_request, write_request

DIALECT = Dialect(
    name=NAME,
    wraps=openai_chat.DIALECT.name,
    framing="sse",
    stream_type=openai_chat.DIALECT.stream_type,
    read_request=read_request,
    write_request=write_request,
    read_answer=openai_chat.DIALECT.read_answer,
    write_answer=openai_chat.DIALECT.write_answer,
    reader=openai_chat.DIALECT.reader,
    writer=openai_chat.DIALECT.writer,
    read_error=read_error,
    write_error=openai_chat.DIALECT.write_error,
)
