"""What is to be sent, apart from where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.access.knobs import Knobs
    from dragoman.core import RequestBody, TokenCount
    from dragoman.dialects.dialect import Path
    from dragoman.dialects.form import Form
    from dragoman.dialects.losses import Policy
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.plan import Deployment, Plan
    from dragoman.routing.reading import Reading
    from dragoman.routing.surface import Surface

# Fields of a request's body that speak to a gateway, not to a provider.
GATEWAY_FIELDS = ("fallbacks", "_previous")
STREAMS_WITH_USAGE = frozenset({"chat", "completions"})


class Call(Struct, frozen=True, kw_only=True):
    """A request that has been read."""

    endpoint: str  # a surface's, or the path of what is passed through
    path: str  # of what is passed through, behind the provider's base URL
    raw: bytes
    body: RequestBody | None  # None: not JSON
    knobs: Knobs
    deadline_s: float  # on the monotonic clock
    session: str
    headers: list[tuple[str, str]]  # of the client's, sent on where the provider speaks its dialect
    trace: list[tuple[str, str]] = []  # sent on in any case; among the headers as well
    surface: Surface | None = None  # None: passed through
    at: Path | None = None
    reading: Reading | None = None
    policy: Policy = "meaning"
    method: str = "POST"
    passed_through: bool = False
    form: Form | None = None  # with neither, the bytes are sent as they are
    guarding: Guarding | None = None  # None: no guardrail is for it
    marks: bool = False  # what a provider may cache of the prompt is marked for it

    @property
    def stream(self) -> bool:
        """Whether the client asked for a stream."""
        if self.at is not None and self.at.stream is not None:
            return self.at.stream
        return self.body is not None and self.body.stream

    @property
    def dialect(self) -> str:
        """The client's."""
        return "openai_chat" if self.surface is None else self.surface.dialect

    @property
    def has_cost_field(self) -> bool:
        """Whether the answer's usage has room for what it cost."""
        return not self.passed_through and self.dialect == "openai_chat"

    @property
    def wants_cost(self) -> bool:
        """Whether the answer says what it cost."""
        return self.knobs.include_cost and self.has_cost_field

    @property
    def is_watched(self) -> bool:
        """Whether the answer has to be looked into."""
        return self.guarding is not None and self.guarding.concerns_answer(stream=self.stream)

    def asks_usage(self, deployment: Deployment) -> bool:
        """Whether usage is asked for on the client's behalf, and so is to be hidden from it."""
        body = self.body
        return (
            body is not None
            and body.stream
            and not body.include_usage
            and deployment.streams_usage
            and self.endpoint in STREAMS_WITH_USAGE
        )

    def hides_usage(self, deployment: Deployment) -> bool:
        """Whether a stream has its provider's usage taken out."""
        return self.stream and (self.asks_usage(deployment) or self.wants_cost)

    def outgoing(self, deployment: Deployment) -> bytes:
        """The body as this deployment gets it: the client's bytes but for the fields that the gateway changes."""
        if self.form is not None:
            return self.raw if deployment.model == "*" else self.form.with_model(deployment.model)
        if self.body is None:
            return self.raw
        model = deployment.model if self.body.model and deployment.model != "*" else None
        return self.body.rewrite(model=model, ask_usage=self.asks_usage(deployment), remove=GATEWAY_FIELDS)

    def lane(self, deployment: Deployment) -> str | tuple[int, int | None]:
        """How the answer is to be followed."""
        if self.passed_through:
            return "raw"
        if self.endpoint == "embeddings" and self.body is not None:
            return _vectors(self.body) or "whole"
        if not self.stream:
            return "whole"
        hidden = self.asks_usage(deployment) or self.knobs.include_cost
        return "stream_without_usage" if hidden else "stream"


class Admitted(Struct, frozen=True, kw_only=True):
    """A call that may be sent: planned, counted, priced. The dispatcher takes nothing else."""

    call: Call
    plan: Plan
    counted: TokenCount | None
    cost_estimate_nanousd: int | None


def _vectors(body: RequestBody) -> tuple[int, int | None] | None:
    """How many vectors an embeddings request asks for, and of what length; ``None`` where that cannot be told."""
    raw = body.field("input") or b""
    dimensions = body.field("dimensions") or b""
    length = int(dimensions) if dimensions.isdigit() else None
    if raw.startswith(b'"'):
        return 1, length
    if not raw.startswith(b"["):
        return None
    items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    # A list of numbers is one input, of tokens.
    single = bool(items) and bytes(items[0])[:1].isdigit()
    return (1 if single else len(items)), length
