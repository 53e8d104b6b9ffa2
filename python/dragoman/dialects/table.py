"""All dialects in one place."""

from __future__ import annotations

from collections.abc import Mapping

from dragoman.dialects import (
    anthropic,
    bedrock,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
    vertex_claude,
    watsonx,
)
from dragoman.dialects.dialect import Dialect

_MODULES = (
    openai_chat,
    openai_responses,
    anthropic,
    gemini,
    bedrock,
    bedrock_invoke,
    vertex_claude,
    cohere,
    ollama,
    watsonx,
)

DIALECTS: Mapping[str, Dialect] = {module.DIALECT.name: module.DIALECT for module in _MODULES}
# Those that can stream to a client as one JSON array.
ARRAYS: Mapping[str, Dialect] = {gemini.DIALECT.name: gemini.ARRAY}
