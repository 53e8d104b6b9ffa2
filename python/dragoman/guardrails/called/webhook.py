"""A service of the operator's.

It gets ``{"guardrail", "place", "request_id", "key", "team", "model", "texts": [{"place", "role", "text"}]}`` and
answers ``{"verdict": "allow" | "block" | "flag", "reason": "...", "score": 0.9}``, the last two as it likes. With a
secret, ``x-dragoman-signature: t=<unix seconds>,v1=<hex>`` is the HMAC-SHA256 of ``<t>.<body>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from dragoman.guardrails.called.asked import Parcel, read_as, shown
from dragoman.guardrails.verdict import Finding
from dragoman.routing.elsewhere import place_of, signed

if TYPE_CHECKING:
    from dragoman.config.called import Webhook
    from dragoman.guardrails.called.asked import Asking
    from dragoman.guardrails.verdict import Passage


class _Said(msgspec.Struct):
    verdict: Literal["allow", "block", "flag"]
    reason: str = ""
    score: float | None = None


class WebhookForm:
    """How it is asked."""

    def __init__(self, webhook: Webhook) -> None:
        self.base_url, self._path = place_of(webhook.url)
        self._secret = webhook.secret

    def ask(self, passages: list[Passage], asking: Asking) -> Parcel:
        """The texts, and for whom."""
        told = {
            "guardrail": asking.guardrail,
            "place": "output" if asking.is_answer else "input",
            "request_id": asking.request_id,
            "key": asking.key,
            "team": asking.team,
            "model": asking.model,
            "texts": [{"place": one.place, "role": one.role, "text": one.text} for one in passages],
        }
        body = msgspec.json.encode(told)
        return Parcel(self._path, body, signed(self._secret, body))

    def read(self, body: bytes) -> Finding | None:
        """Its verdict."""
        said = read_as(_Said, body)
        if said.verdict == "allow":
            return None
        return Finding(reason=shown(said.reason) or "refused", score=said.score, only_flagged=said.verdict == "flag")
