"""Where parameters stand in the bodies of each dialect."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Way = tuple[str, ...]  # keys from the outside in

_CLAUDE: dict[str, tuple[Way, ...]] = {
    "max_tokens": (("max_tokens",),),
    "temperature": (("temperature",),),
    "top_p": (("top_p",),),
    "top_k": (("top_k",),),
    "stop": (("stop_sequences",),),
    "tools": (("tools",),),
    "tool_choice": (("tool_choice",),),
    "response_format": (("output_config", "format"),),
    "reasoning": (("thinking",), ("output_config", "effort")),
    "service_tier": (("service_tier",),),
    "metadata": (("metadata",),),
    "user": (("metadata", "user_id"),),
}
_SAMPLING = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop", "n")
_SAME = (*_SAMPLING, "logprobs", "logit_bias", "tools", "tool_choice", "response_format", "service_tier", "store")


def _gemini() -> dict[str, tuple[Way, ...]]:
    """Each in either spelling, of either spelling of its object."""
    names = {
        "max_tokens": "maxOutputTokens max_output_tokens",
        "temperature": "temperature",
        "top_p": "topP top_p",
        "top_k": "topK top_k",
        "frequency_penalty": "frequencyPenalty frequency_penalty",
        "presence_penalty": "presencePenalty presence_penalty",
        "seed": "seed",
        "stop": "stopSequences stop_sequences",
        "n": "candidateCount candidate_count",
        "logprobs": "responseLogprobs response_logprobs logprobs",
        "response_format": "responseSchema response_schema responseJsonSchema response_json_schema",
        "reasoning": "thinkingConfig thinking_config",
    }
    outer = ("generationConfig", "generation_config")
    ways = {name: tuple((at, inner) for inner in told.split() for at in outer) for name, told in names.items()}
    return ways | {"tools": (("tools",),), "tool_choice": (("toolConfig",), ("tool_config",))}


# What sessions of OpenAI's Realtime can be told, in the API's beta too, whose words are others.
_REALTIME: dict[str, tuple[Way, ...]] = {
    "max_tokens": (("max_output_tokens",), ("max_response_output_tokens",)),
    "tools": (("tools",),),
    "tool_choice": (("tool_choice",),),
    "reasoning": (("reasoning",),),
    "metadata": (("metadata",),),
}

# The first way of each is where it is put where it stands in none.
FIELDS: dict[str, dict[str, tuple[Way, ...]]] = {
    "openai_chat": {name: ((name,),) for name in _SAME}
    | {
        "max_tokens": (("max_tokens",), ("max_completion_tokens",)),
        "tools": (("tools",), ("functions",)),
        "tool_choice": (("tool_choice",), ("function_call",)),
        "reasoning": (("reasoning_effort",), ("reasoning",)),
        "metadata": (("metadata",),),
        "user": (("user",), ("safety_identifier",)),
    },
    "openai_responses": {
        "max_tokens": (("max_output_tokens",),),
        "temperature": (("temperature",),),
        "top_p": (("top_p",),),
        "logprobs": (("top_logprobs",),),
        "tools": (("tools",),),
        "tool_choice": (("tool_choice",),),
        "response_format": (("text", "format"),),
        "reasoning": (("reasoning",),),
        "service_tier": (("service_tier",),),
        "store": (("store",),),
        "metadata": (("metadata",),),
        "user": (("user",), ("safety_identifier",)),
    },
    "openai_realtime": _REALTIME,
    "openai_realtime_beta": _REALTIME
    | {
        "max_tokens": (("max_response_output_tokens",), ("max_output_tokens",)),
        "temperature": (("temperature",),),
    },
    "anthropic": _CLAUDE,
    "bedrock_invoke": _CLAUDE,
    "vertex_claude": _CLAUDE,
    "gemini": _gemini(),
    "bedrock": {
        "max_tokens": (("inferenceConfig", "maxTokens"),),
        "temperature": (("inferenceConfig", "temperature"),),
        "top_p": (("inferenceConfig", "topP"),),
        "top_k": (("additionalModelRequestFields", "top_k"),),
        "stop": (("inferenceConfig", "stopSequences"),),
        "tools": (("toolConfig",),),
        "tool_choice": (("toolConfig", "toolChoice"),),
        "reasoning": (
            ("additionalModelRequestFields", "thinking"),
            ("additionalModelRequestFields", "reasoning_config"),
        ),
        "response_format": (("outputConfig", "textFormat"),),
        "service_tier": (("serviceTier",),),
        "metadata": (("requestMetadata",),),
    },
    "cohere": {
        "max_tokens": (("max_tokens",),),
        "temperature": (("temperature",),),
        "top_p": (("p",),),
        "top_k": (("k",),),
        "frequency_penalty": (("frequency_penalty",),),
        "presence_penalty": (("presence_penalty",),),
        "seed": (("seed",),),
        "stop": (("stop_sequences",),),
        "logprobs": (("logprobs",),),
        "tools": (("tools",),),
        "tool_choice": (("tool_choice",),),
        "response_format": (("response_format",),),
        "reasoning": (("thinking",),),
    },
    "ollama": {
        "max_tokens": (("options", "num_predict"),),
        "temperature": (("options", "temperature"),),
        "top_p": (("options", "top_p"),),
        "top_k": (("options", "top_k"),),
        "frequency_penalty": (("options", "frequency_penalty"),),
        "presence_penalty": (("options", "presence_penalty"),),
        "seed": (("options", "seed"),),
        "stop": (("options", "stop"),),
        "logprobs": (("logprobs",),),
        "tools": (("tools",),),
        "response_format": (("format",),),
        "reasoning": (("think",),),
    },
}


def get(body: Json, ways: tuple[Way, ...]) -> Any:
    """What stands there; ``None`` where nothing does."""
    for way in ways:
        inner = _inside(body, way)
        if inner is not None and inner.get(way[-1]) is not None:
            return inner[way[-1]]
    return None


def drop(body: Json, ways: tuple[Way, ...]) -> None:
    """Take it away, wherever it stands."""
    for way in ways:
        inner = _inside(body, way)
        if inner is not None:
            inner.pop(way[-1], None)


def put(body: Json, ways: tuple[Way, ...], value: Any) -> None:
    """Set it where it stands; where it does not, in the first way."""
    ways = tuple(way for way in ways if get(body, (way,)) is not None) or ways[:1]
    for way in ways:
        inner = body
        for key in way[:-1]:
            known = inner.get(key)
            inner[key] = inner = dict(known) if isinstance(known, dict) else {}
        inner[way[-1]] = value


def _inside(body: Json, way: Way) -> Json | None:
    inner: Any = body
    for key in way[:-1]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else None
