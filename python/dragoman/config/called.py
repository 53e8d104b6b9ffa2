"""Guardrails that are called out: others are shown the texts, and say what they think of them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dragoman.config.aws import Aws
from dragoman.config.part import Part

Share = Annotated[float, Meta(ge=0, le=1)]


class Webhook(Part, frozen=True, kw_only=True):
    """A service of yours."""

    url: Annotated[str, "where the texts are sent, as JSON"]
    secret: Annotated[str, "what requests are signed with, better as ${VAR} or ${file:/path}; empty: not"] = ""
    headers: Annotated[dict[str, str], "sent with every request"] = {}
    allow_private: Annotated[bool, "may be at loopback, private and link-local addresses"] = False


class Moderation(Part, frozen=True, kw_only=True):
    """OpenAI's moderation, or one like it."""

    api_key: Annotated[str, "better as ${VAR} or ${file:/path}"] = ""
    base_url: Annotated[str, "whose"] = "https://api.openai.com/v1"
    model: Annotated[str, "which"] = "omni-moderation-latest"
    categories: Annotated[tuple[str, ...], "that count; empty: all"] = ()
    threshold: Annotated[Share | None, "of a category's score; null: as the service flags"] = None
    allow_private: Annotated[bool, "may be at loopback, private and link-local addresses"] = False


class Presidio(Part, frozen=True, kw_only=True):
    """A Presidio analyzer: texts with personal data are refused or flagged."""

    url: Annotated[str, "of the analyzer, such as http://presidio:3000"]
    entities: Annotated[tuple[str, ...], "that count; empty: all"] = ()
    threshold: Annotated[Share, "what is less sure does not count"] = 0.5
    language: Annotated[str, "of the texts"] = "en"
    allow_private: Annotated[bool, "may be at loopback, private and link-local addresses"] = True


class BedrockGuardrail(Part, frozen=True, kw_only=True):
    """A guardrail of Amazon Bedrock."""

    identifier: Annotated[str, "its id or ARN"]
    version: Annotated[str, "a number, or DRAFT"] = "DRAFT"
    region: Annotated[str, "where it is"]
    aws: Annotated[Aws, "who asks"] = Aws()
    base_url: Annotated[str, "empty: the region's"] = ""
    allow_private: Annotated[bool, "may be at loopback, private and link-local addresses"] = False


class Judge(Part, frozen=True, kw_only=True):
    """Any model that the gateway knows, asked for its judgement; what it costs is recorded."""

    model: Annotated[str, "an alias, or provider/model"]
    shape: Annotated[Literal["llama_guard", "question"], "llama_guard: as Llama Guard models are asked"] = "question"
    question: Annotated[str, "what is asked of the texts, to be answered with yes where they are to be refused"] = (
        "Does this text ask for, or give, help with serious harm to people?"
    )
