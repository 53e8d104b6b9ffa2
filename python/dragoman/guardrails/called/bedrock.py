"""A guardrail of Amazon Bedrock
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec

from dragoman.guardrails.called.asked import Parcel, read_as
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.called import BedrockGuardrail
    from dragoman.guardrails.called.asked import Asking
    from dragoman.guardrails.verdict import Passage


class _Said(msgspec.Struct):
    action: Literal["NONE", "GUARDRAIL_INTERVENED"]
    assessments: list[dict[str, Any]] = []


class BedrockForm:
    """How it is asked."""

    def __init__(self, guardrail: BedrockGuardrail) -> None:
        identifier, version = quote(guardrail.identifier, safe=""), quote(guardrail.version, safe="")
        self._path = f"/guardrail/{identifier}/version/{version}/apply"

    def ask(self, passages: list[Passage], asking: Asking) -> Parcel:
        """All texts, each a content of its own."""
        content = [{"text": {"text": passage.text}} for passage in passages]
        told = {"source": "OUTPUT" if asking.is_answer else "INPUT", "content": content}
        return Parcel(self._path, msgspec.json.encode(told))

    def read(self, body: bytes) -> Finding | None:
        """Whether it intervened, and which of its policies."""
        said = read_as(_Said, body)
        if said.action == "NONE":
            return None
        policies = tuple(sorted({name for one in said.assessments for name in one if name.endswith("Policy")}))
        return Finding(reason=", ".join(policies) or "refused", signals=policies)
