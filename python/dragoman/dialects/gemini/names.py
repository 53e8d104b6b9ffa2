"""The names of fields: JSON of Google's has camelCase, and its servers take snake_case as well.

Known names are read in either spelling. A name that is not known keeps the one that it came in.
"""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json
from dragoman.dialects.fields import Fields

NAME = "gemini"

_KNOWN = """
    system_instruction tool_config safety_settings generation_config cached_content service_tier function_declarations
    parameters_json_schema response_json_schema google_search google_search_retrieval enterprise_web_search url_context
    code_execution google_maps file_search computer_use mcp_servers function_calling_config allowed_function_names
    include_server_side_tool_invocations retrieval_config top_p top_k candidate_count max_output_tokens stop_sequences
    presence_penalty frequency_penalty response_logprobs response_mime_type response_schema response_modalities
    speech_config image_config media_resolution audio_timestamp thinking_config routing_config include_thoughts
    thinking_budget thinking_level thought_signature inline_data file_data function_call function_response
    executable_code code_execution_result tool_call tool_response mime_type file_uri display_name video_metadata
    generate_content_request will_continue partial_args
"""


def _camel(snake: str) -> str:
    first, *others = snake.split("_")
    return first + "".join(word.capitalize() for word in others)


CAMEL = {snake: _camel(snake) for snake in _KNOWN.split()}


def normal(value: Any) -> Any:
    """An object with its known fields in camelCase; anything else as it is."""
    if type(value) is not dict or CAMEL.keys().isdisjoint(value):
        return value
    changed: Json = {}
    for name, item in value.items():
        camel: str = CAMEL.get(name) or name
        if camel == name or camel not in value:
            changed[camel] = item
    return changed


def fields_of(value: Any, at: str = "") -> Fields:
    """An object to take apart, in either spelling."""
    return Fields(normal(value), at)


def inner(fields: Fields, name: str) -> Fields | None:
    """The same for an object inside one."""
    value = fields.take(name)
    return None if value is None else fields_of(value, fields.path(name))


def listed(fields: Fields, name: str) -> list[Any]:
    """A list; one object stands for a list of it, as it does to Google."""
    value = fields.left.get(name)
    if type(value) is dict or type(value) is str:
        del fields.left[name]
        return [value]
    return fields.items(name)


def bare_name(model: str) -> str:
    """A model's name without the collections around it."""
    return model.rpartition("models/")[2]
