"""The most that a request may come to: what is held for it.

Its prompt is counted, and estimated upwards where the count is not exact. Its answer is as long as the request allows,
else as long as the model can make it. Of the deployments that may answer, the dearest counts; of the prices that a
token may have, the highest; where two are asked beside each other, both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dragoman.core import Pricing, Words
from dragoman.guardrails.prompts.fields import FIELDS
from dragoman.ledger.book import NANO

if TYPE_CHECKING:
    from dragoman.config.limiting import Accounting
    from dragoman.core import RequestBody, TokenCount
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Deployment, Plan
    from dragoman.usage.price import Rates

# No token is shorter than a byte, and hardly any text has one for every two.
BYTES_A_TOKEN = 2
MOST_CHOICES = 128
# No answer has as many tokens, and what so many cost can be counted yet.
MOST_TOKENS = 10**12
OPENAI = "openai_chat"
_MTOK = 1_000_000
# Parts of a body that speak of what has prices of its own.
CACHED = Words(b"cache_control", b"cachePoint", b"cachedContent", b"cached_content")
HEARD = Words(b"audio")


class Bound(Struct, frozen=True):
    """What a request comes to at most. ``cost_nanousd`` is ``None`` where a deployment has no price."""

    tokens: int
    output_tokens: int  # of tokens
    cost_nanousd: int | None
    legs: int = 1  # attempts beside each other

    @property
    def given(self) -> int:
        """Tokens of the prompt."""
        return (self.tokens - self.output_tokens) // self.legs

    @property
    def longest(self) -> int:
        """Tokens of one answer."""
        return self.output_tokens // self.legs


class Ceiling:
    """What requests may come to at any of some deployments, as long as their prices are what they are."""

    __slots__ = ("_deployments", "_known", "_rates")

    def __init__(self, deployments: tuple[Deployment, ...]) -> None:
        self._deployments = deployments
        self._rates: list[Rates | None] | None = None
        self._known = Pricing([], CACHED, HEARD), True

    def now(self) -> tuple[Pricing, bool]:
        """What they cost at most, and whether all of them have a price."""
        rates = [deployment.find_rates() for deployment in self._deployments]
        if rates != self._rates:
            priced = [
                (one.written_for.max_output, [] if price is None else price.ceilings())
                for one, price in zip(self._deployments, rates, strict=True)
            ]
            self._known = Pricing(priced, CACHED, HEARD), None not in rates
            self._rates = rates
        return self._known


def bound_of(call: Call, plan: Plan, counted: TokenCount | None, accounting: Accounting) -> Bound:
    """The most that a call may come to."""
    given = given_of(call, counted)
    if call.surface is None:
        return Bound(given, 0, None)
    speaks = not (call.surface.task or call.surface.counted == "embeddings")  # others answer with vectors, or an order
    asked, choices = (_asked(call), _choices(call)) if speaks else (None, 0)
    cached, heard = call.marks or CACHED.are_in(call.raw), HEARD.are_in(call.raw)
    pricing, is_priced = plan.ceiling.now()
    longest, dearest = pricing.of(given, asked, accounting.output_tokens, choices, (cached, heard))
    legs = 2 if plan.hedge is not None and call.stream else 1
    return Bound((given + longest) * legs, longest * legs, dearest * legs if is_priced else None, legs)


def ceiling_cost(tokens: int, accounting: Accounting) -> int:
    """What tokens count for that have no price."""
    return round(tokens * accounting.ceiling_usd_mtok * NANO / _MTOK) if accounting.unpriced == "ceiling" else 0


def given_of(call: Call, counted: TokenCount | None) -> int:
    """Tokens of a prompt, at most."""
    return len(call.raw) // BYTES_A_TOKEN + 1 if counted is None else counted.most


def _asked(call: Call) -> int | None:
    """How long an answer the request allows."""
    if call.surface is None or call.body is None:
        return None
    if call.surface.dialect == OPENAI and call.body.max_tokens is None:
        return None  # it has been read already
    asked = _figure(call.body, call.surface.dialect, "max_tokens") or call.body.max_tokens
    return min(asked, MOST_TOKENS) if asked else None


def _choices(call: Call) -> int:
    """How many answers the request asks for."""
    body = call.body
    if call.surface is None or body is None:
        return 1
    asked = body.n or 1
    if call.surface.dialect != OPENAI:
        asked = _figure(body, call.surface.dialect, "n") or asked
    best_of = body.field("best_of")
    if best_of is not None and best_of.isdigit():
        asked = max(asked, int(best_of))
    return min(asked, MOST_CHOICES)


def _figure(body: RequestBody, dialect: str, name: str) -> int | None:
    """A whole number of the body, wherever its dialect has it; the largest, where it stands in several places."""
    found = []
    for way in FIELDS.get(dialect, {}).get(name, ()):
        value = body.field(way[0])
        for key in way[1:]:
            value = None if value is None else _inner(value, key)
        if value is not None and value.isdigit():
            found.append(int(value))
    return max(found, default=None)


def _inner(raw: bytes, key: str) -> bytes | None:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return None
    return bytes(fields[key]) if key in fields else None
