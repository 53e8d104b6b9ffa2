"""Recorded calls to providers that speak OpenAI's dialect, and what the gateway should make of each.

What is expected is worked out here from the recording alone, with nothing of the gateway's: the body that the provider
should get, the bytes that the client should, and the tokens that the usage row should hold.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# Each provider of the recordings, and the kind in the catalogue that it is configured as.
KINDS = {
    "azure_ai": "azure",
    "azure_openai": "azure",
    "bedrock_openai": "bedrock-openai",
    "cerebras": "cerebras",
    "deepseek": "deepseek",
    "groq": "groq",
    "huggingface": "huggingface",
    "litellm": "openai-compatible",
    "localhost": "vllm",
    "mistral": "mistral",
    "ollama": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "other:api.inference.crusoecloud.com": "crusoe",
    "other:localhost": "openai-compatible",
    "other:ollama.com": "ollama-cloud",
    "perplexity": "perplexity",
    "portkey": "openai-compatible",
    "snowflake": "snowflake-cortex",
    "together": "together",
    "voyage": "voyageai",
    "writer": "openai-compatible",
    "zai": "zai",
}
# Paths of chat and embeddings that speak another dialect, and which.
FOREIGN = {
    "api.cohere.com/v1/chat": "Cohere's v1",
    "api.cohere.com/v2/chat": "Cohere's v2",
    "api.cohere.com/v2/embed": "Cohere's v2",
    ":batchEmbedContents": "Gemini's",
    ":11434/api/chat": "Ollama's own",
}
DIALECT = {"/chat/completions": "chat", "/completions": "completions", "/embeddings": "embeddings"}
WRITERS_CHAT = "api.writer.com/v1/chat"  # OpenAI's dialect at a path of its own
ALWAYS = {"mistral", "perplexity"}  # kinds that report the usage of streams unasked and may refuse to be asked
DONE = b"data: [DONE]\n\n"
ODD_PIECES = 48


@dataclass(frozen=True)
class Expected:
    """What the client should get. ``code`` is that of an error which the gateway words itself; an error in the midst of
    a stream follows ``body`` and repeats ``message``.
    """

    status: int
    body: bytes = b""
    code: str = ""
    message: str = ""


class Recording:
    """One recorded call."""

    def __init__(self, row: dict[str, Any], endpoint: str) -> None:
        self.id: str = row["id"]
        self.provider: str = row["provider"]
        self.endpoint = endpoint
        self.status: int = row["response"]["status"]
        self.body: bytes = row["response"]["body"].encode()
        self.exact: bool = row["response"]["body_encoding"] == "utf8"
        self._recorded_type: str = row["response"]["content_type"]
        self._request: str = row["request"]["body"]

    @property
    def path(self) -> str:
        """Where a client sends it."""
        return "/v1" + next(path for path, endpoint in DIALECT.items() if endpoint == self.endpoint)

    @property
    def name(self) -> str:
        """The provider's name in the configuration."""
        return self.provider.replace(":", "-")

    @cached_property
    def request(self) -> str:
        """The body as the provider got it; where none was recorded, or none with a model, what is needed is added."""
        text = self._request or '{"model": null, "messages": [{"role": "user", "content": "Hello there."}]}'
        return text if json.loads(text)["model"] else re.sub(r'"model":\s*null', '"model": "gpt-4o"', text, count=1)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The request, read."""
        found: dict[str, Any] = json.loads(self.request)
        return found

    @property
    def alias(self) -> str:
        """What the client calls the model."""
        return f"{self.name}/{self.asked['model']}"

    @cached_property
    def client_body(self) -> bytes:
        """The request as a client of the gateway sends it: the model is called by its alias, all else is as it was."""
        named = re.compile(r'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
        for found in named.finditer(self.request):
            text = self.request[: found.start(1)] + json.dumps(self.alias) + self.request[found.end(1) :]
            if json.loads(text) == self.asked | {"model": self.alias}:
                return text.encode()
        raise AssertionError(f"{self.id}: the model is not to be found")

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.asked.get("stream"))

    @property
    def asked_usage(self) -> bool:
        """Whether the usage of the stream was asked for."""
        return bool((self.asked.get("stream_options") or {}).get("include_usage"))

    @property
    def gets_asked(self) -> bool:
        """Whether the gateway asks for usage where the client did not."""
        return self.streamed and not self.asked_usage and KINDS[self.provider] not in ALWAYS

    @property
    def is_events(self) -> bool:
        """Whether the answer is a stream."""
        return self.body.startswith((b"data:", b":"))

    @property
    def content_type(self) -> str:
        """As recorded; where the recorder kept no headers, what the body is."""
        return self._recorded_type or ("text/event-stream" if self.is_events else "application/json")

    @cached_property
    def events(self) -> list[bytes]:
        """The blocks of a stream, each with the blank line that ends it."""
        return re.findall(rb".*?(?:\r?\n){2}", self.body, re.DOTALL)

    def pieces(self, seed: int) -> list[bytes]:
        """The body cut at odd places."""
        chance = random.Random(f"{self.id} {seed}")
        places = sorted(chance.randrange(len(self.body)) for _ in range(min(ODD_PIECES, len(self.body) // 2)))
        parts = [self.body[start:end] for start, end in zip([0, *places], [*places, len(self.body)], strict=True)]
        return [part for part in parts if part]

    # What should come of it.

    def reaches_provider(self, body: bytes) -> bool:
        """Whether this is the body that the provider should get."""
        recorded = self.request.encode()
        if body == recorded:
            return not self.gets_asked
        read = json.loads(body)
        options = (self.asked.get("stream_options") or {}) | {"include_usage": True}
        same = read == self.asked | {"stream_options": options} and [*self.asked] == [
            name for name in read if name in self.asked
        ]
        return same and (self.gets_asked and _one_edit(recorded, body))

    @property
    def answer(self) -> Expected:
        """What the client should get."""
        if self.status in (401, 403):
            return Expected(502, code="upstream_auth")
        if self.status == 429:
            return Expected(429, code="rate_limit_exceeded")
        if self.status == 200 and (not self.body or self.is_events > self.streamed):
            return Expected(502, code="upstream_protocol")  # nothing, or a stream that was not asked for
        if not self.is_events:
            return Expected(self.status, self.body)
        for place, event in enumerate(self.events):
            if b'"error":{' in event:
                message = json.loads(event.removeprefix(b"data:"))["error"]["message"]
                return Expected(200, b"".join(self.events[:place]), message=message)
        body = b"".join(map(_without_usage, self.events)) if self.gets_asked else self.body
        return Expected(self.status, body if DONE in body else body + DONE)

    @property
    def hides_usage(self) -> bool:
        """Whether the provider reported usage that the client did not ask for, so that it is taken out."""
        return self.gets_asked and self.answer.body not in (self.body, self.body + DONE)

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """The answer's JSON: the whole, or each event's."""
        if not self.is_events:
            return [json.loads(self.body)] if self.body else []
        lines = (line.strip() for line in self.body.split(b"\n") if line.startswith(b"data:"))
        return [json.loads(line[5:]) for line in lines if b"[DONE]" not in line]

    @property
    def usage(self) -> dict[str, Any] | None:
        """The provider's last word on the tokens."""
        said = [part.get("usage") or (part.get("x_groq") or {}).get("usage") for part in self.parts]
        return next((usage for usage in reversed(said) if usage), None)

    @property
    def tokens(self) -> dict[str, int] | None:
        """The columns of the usage row; ``None`` where the provider did not say."""
        return columns(self.usage) if self.usage and self.answer.status == 200 else None

    @property
    def finish_reason(self) -> str:
        """The first one of the first choice to have one."""
        choices = [choice for part in self.parts for choice in part.get("choices") or ()]
        return next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), "")


def columns(usage: dict[str, Any]) -> dict[str, int]:
    """The tokens of a report, by the columns of the usage table."""
    prompts = usage.get("prompt_tokens_details") or {}
    outputs = usage.get("completion_tokens_details") or {}
    total = usage.get("total_tokens") or 0
    counted = usage.get("prompt_tokens"), usage.get("completion_tokens")
    prompt = total if counted == (None, None) else counted[0] or 0  # Voyage says the total alone
    output = 0 if counted == (None, None) else counted[1] or 0
    reasoning = outputs.get("reasoning_tokens") or 0
    if 0 < total - prompt - output <= reasoning:
        output = total - prompt  # xAI counts reasoning apart
    cached = max(
        prompts.get("cached_tokens") or 0,
        usage.get("num_cached_tokens") or 0,  # Mistral
        usage.get("prompt_cache_hit_tokens") or 0,  # DeepSeek
        usage.get("cached_tokens") or 0,  # Together
    )
    return {
        "input_tokens": prompt,
        "output_tokens": output,
        "cached_input_tokens": min(cached, prompt),  # a part is at most its whole, whatever Grok on Azure says
        "cache_write_tokens": prompts.get("cache_write_tokens") or 0,
        "reasoning_tokens": min(reasoning, output),
        "audio_input_tokens": prompts.get("audio_tokens") or 0,
        "audio_output_tokens": outputs.get("audio_tokens") or 0,
    }


def _one_edit(before: bytes, after: bytes) -> bool:
    """Whether one is the other with one place changed, where what went away is at most ``false`` or ``null``."""
    start = next(
        (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(before)
    )
    old, new = before[start:][::-1], after[start:][::-1]
    kept = next((place for place, (one, two) in enumerate(zip(old, new, strict=False)) if one != two), len(old))
    return len(before) - start - kept <= len(b"false")


def _without_usage(block: bytes) -> bytes:
    """An event as a client sees it that did not ask for usage: none where there is nothing else in it."""
    data = block.strip().removeprefix(b"data:").strip()
    if data == b"[DONE]" or not data.startswith(b"{"):
        return block
    read = json.loads(data)
    if "usage" not in read:
        return block
    if read["usage"] and not read.get("choices"):
        return b""
    # The last member of the object, or followed by others: its comma goes with it.
    value = re.escape(json.dumps(read["usage"], separators=(",", ":"), ensure_ascii=False).encode())
    for pattern in (rb'\s*"usage":\s*' + value + rb",", rb',\s*"usage":\s*' + value):
        cut, count = re.subn(pattern, b"", block, count=1)
        if count and json.loads(cut.strip().removeprefix(b"data:")) == {k: v for k, v in read.items() if k != "usage"}:
            return cut
    raise AssertionError(f"no usage found in {block!r}")


def endpoint_of(row: dict[str, Any]) -> str:
    """The endpoint of a recorded call in OpenAI's dialect; empty for every other call."""
    url = row["request"]["url"].split("?")[0].split("#")[0]
    if any(mark in url for mark in FOREIGN):
        return ""
    if url.endswith(WRITERS_CHAT):
        return "chat"
    return next((endpoint for path, endpoint in DIALECT.items() if url.endswith(path)), "")


def read_traffic(folder: Path) -> Iterator[dict[str, Any]]:
    """All recorded calls."""
    with gzip.open(folder / "traffic" / "traffic.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
