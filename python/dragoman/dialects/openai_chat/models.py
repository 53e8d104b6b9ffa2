"""What OpenAI's own models and the hosts of its dialect take, as far as it goes by name."""

from __future__ import annotations

import re

# Models that think: they take another name for the limit, and no sampling unless they are told not to think.
_THINKING = re.compile(r"(?:o[1-9]|gpt-5|gpt-[6-9])(?![0-9])")
_CHATTING = re.compile(r"gpt-[0-9.]+(?:-[a-z]+)?-chat|.*-chat-latest")
# From gpt-5.1 on, effort "none" turns thinking off, and with it those limits.
_SWITCHABLE = re.compile(r"gpt-(?:5\.[1-9]|[6-9])")

# The first of those still took stop sequences.
_STOPPABLE = re.compile(r"o1|o3-mini")

# Providers that run OpenAI's models.
OPENAI_HOSTS = frozenset({"openai", "azure", "azure-foundry", "bedrock-openai", "github", "github-copilot"})
# Hosts whose models go on from the reasoning that an assistant's message brings back, and their field for it.
REASONING_BACK = {
    "deepseek": "reasoning_content",
    "moonshot": "reasoning_content",
    "moonshotai": "reasoning_content",
    "zai": "reasoning_content",
    "zhipuai": "reasoning_content",
    "minimax": "reasoning_content",
    "openrouter": "reasoning_details",
    "vercel": "reasoning_details",
    "vllm": "reasoning",
}
# Hosts that take an object ``reasoning``, and in it a number of tokens.
REASONING_OBJECT = frozenset({"openrouter"})
# Hosts that take Anthropic's marks for the prompt cache.
CACHE_CONTROL = frozenset({"openrouter", "dashscope", "alibaba", "zai", "litellm", "streamlake"})
SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias")


def thinks(model: str) -> bool:
    """Whether it is one of OpenAI's models that think before they answer."""
    name = model.rpartition("/")[2].removeprefix("openai.")
    return bool(_THINKING.match(name)) and not _CHATTING.match(name)


def takes_stop(model: str) -> bool:
    """Whether such a model takes stop sequences."""
    return bool(_STOPPABLE.match(model.rpartition("/")[2]))


def may_not_think(model: str) -> bool:
    """Whether such a model can be told not to."""
    return bool(_SWITCHABLE.match(model.rpartition("/")[2]))
