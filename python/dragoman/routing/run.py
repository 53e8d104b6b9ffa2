"""What one request has come to so far: filled in on the way, settled at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.errors import ClientGone
from dragoman.routing.plan import told_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.access.knobs import Knobs
    from dragoman.access.principal import Principal
    from dragoman.cache.kept import Kept
    from dragoman.core import Outcome, TokenCount
    from dragoman.errors import RequestError
    from dragoman.guardrails.guarding import Guarding
    from dragoman.ledger.allowance import Allowance
    from dragoman.ledger.hold import Held
    from dragoman.routing.plan import Deployment, Member
    from dragoman.routing.translation import Translation
    from dragoman.server.request import Request
    from dragoman.telemetry.trace import Trace
    from dragoman.usage.row import Tokens, UsageSource


# What is recorded of the end user that a body names.
MAX_END_USER_CHARS = 256


class AttemptNote(Struct, frozen=True, gc=False):
    """One attempt, for whoever asks later: which, why chosen, why left."""

    deployment: str
    credential: str
    why: str
    outcome: str
    ms: float


def _nothing(run: Run) -> None:
    """Nobody wants to know."""


class Run:
    """One request from its key to its usage row."""

    __slots__ = (
        "adjusted",
        "alias",
        "allowance",
        "before_end",
        "body",
        "cache",
        "cost_estimate_nanousd",
        "counted",
        "deployment",
        "end_user",
        "endpoint",
        "error",
        "fallback_index",
        "guarding",
        "hold",
        "kept",
        "knobs",
        "last_error",
        "limits",
        "lossy",
        "maybe_done",
        "member",
        "metered",
        "metered_stop",
        "notes",
        "outcome",
        "principal",
        "prompt",
        "request",
        "score",
        "sent_body",
        "sent_headers",
        "snapshot",
        "spent",
        "stream",
        "trace_headers",
        "trace_id",
        "translation",
        "wants_cost",
    )

    def __init__(self, request: Request, snapshot: int, principal: Principal, endpoint: str) -> None:
        self.request = request
        self.snapshot = snapshot
        self.principal = principal
        self.endpoint = endpoint
        self.alias = ""
        self.body = b""  # as the client sent it
        self.sent_body = b""  # as a provider may see it
        self.end_user = ""
        self.knobs: Knobs | None = None
        self.stream = False
        self.wants_cost = False  # in the answer itself
        self.trace_id = ""
        self.trace_headers: list[tuple[str, str]] = []
        self.counted: TokenCount | None = None
        self.cost_estimate_nanousd: int | None = None
        self.member: Member | None = None
        self.deployment: Deployment | None = None
        self.fallback_index = 0
        self.metered: Tokens | None = None  # of a turn of a session, which has no answer of its own
        self.metered_stop = ""
        self.notes: list[AttemptNote] = []
        self.maybe_done = False  # a provider may have carried it out
        self.outcome: Outcome | None = None
        self.translation: Translation | None = None  # of the attempt that the outcome is of
        self.before_end: Callable[[Run], None] = _nothing  # before the last of a translated answer leaves
        self.lossy = ""  # what its request lost on the way
        self.guarding: Guarding | None = None
        self.hold: Held | None = None  # of what it may come to, where it is limited
        self.allowance: Allowance | None = None  # of how long its stream may be, where that is limited
        self.limits: list[tuple[str, str]] = []  # headers that say how much of them is left
        self.prompt = ""  # the template that was called, and its version
        self.adjusted = ""  # parameters that are not as they were asked
        # What it did: hit, semantic, shared, miss, refresh, bypass, check, replay; empty: it is not asked.
        self.cache = ""
        self.sent_headers: list[tuple[str, str]] = []  # of the answer, which others begin with
        self.score: float | None = None  # how sure it is that a question in other words is the same
        self.kept: Kept | None = None  # the answer, where no provider was asked for it
        self.spent: tuple[Tokens, UsageSource, int | None] | None = None  # by an answer that has come to its end
        self.error: RequestError | None = None
        self.last_error: RequestError | None = None

    def planned(self, alias: str, end_user: str, knobs: Knobs, trace: Trace | None) -> None:
        """The request has been read and may be sent."""
        self.alias = alias
        self.knobs = knobs
        self.end_user = knobs.end_user or end_user[:MAX_END_USER_CHARS]
        self.trace_id = knobs.trace_id
        if trace is not None:
            self.trace_id = self.trace_id or trace.trace_id
            self.trace_headers = [("traceparent", trace.traceparent)]
            if trace.tracestate:
                self.trace_headers.append(("tracestate", trace.tracestate))

    def chosen(self, member: Member) -> None:
        """A deployment has been chosen for the next attempt."""
        self.member = member
        self.deployment = member.deployment

    def note(self, note: AttemptNote) -> None:
        """An attempt is over."""
        self.notes.append(note)

    @property
    def answered(self) -> bool:
        """Whether the client has its whole answer."""
        return self.kept is not None or (bool(self.notes) and self.last_error is None)

    def fail(self, error: RequestError) -> None:
        """The request has failed, and the client is told so (where it can be told)."""
        self.error = error
        error.headers = self.headers(len(self.notes)) + self.rate_limits

    @property
    def rate_limits(self) -> list[tuple[str, str]]:
        """What the provider that was asked last says of its limits, where nothing is said of ours."""
        if any("-ratelimit-" in name for name, _ in self.limits):
            return []
        told = () if self.outcome is None else self.outcome.headers
        return [(name, value) for name, value in told if name.startswith("x-ratelimit-")]

    @property
    def begun(self) -> bool:
        """Whether the client has got anything of an answer."""
        translated = self.translation is not None and self.translation.begun
        return translated or (self.outcome is not None and bool(self.outcome.written))

    @property
    def first_token_ms(self) -> float | None:
        """How long the first content of a stream took, from when the attempt that answered was sent."""
        if self.translation is not None:
            return self.translation.first_token_ms
        return None if self.outcome is None else self.outcome.first_token_ms

    @property
    def status(self) -> int:
        """The status that the client saw."""
        error, outcome = self.error, self.outcome
        if error is not None and (isinstance(error, ClientGone) or not self.begun):
            return error.http_status
        return 200 if outcome is None else outcome.status

    def answer_headers(self, attempts: int) -> list[tuple[str, str]]:
        """The headers of a provider's answer, less those that are known only when it comes."""
        by = self.kept or self.deployment
        told = [] if by is None else told_of(by)
        return [*self.first_headers(attempts), *told, *self.further_headers()]

    def first_headers(self, attempts: int) -> list[tuple[str, str]]:
        """Of these, those before the ones that say who gives the answer."""
        return [
            ("x-request-id", self.request.id),
            ("x-dragoman-snapshot", str(self.snapshot)),
            *self._tries_told(attempts),
        ]

    def _tries_told(self, attempts: int) -> list[tuple[str, str]]:
        return [("x-dragoman-attempts", str(attempts)), ("x-dragoman-fallback-index", str(self.fallback_index))]

    @property
    def _cache_told(self) -> str:
        if self.score is None or self.kept is None:
            return self.cache
        return f"{self.cache}; score={self.score:.3f}; id={self.kept.request_id}"

    def refresh_headers(self) -> None:
        """Tell in the headers of an answer that has not begun what has become known since it was asked for."""
        if self.guarding is not None:
            name = "x-dragoman-guardrails"
            told = [(name, self.guarding.told) if header[0] == name else header for header in self.sent_headers]
            self.sent_headers[:] = told

    def times(self) -> list[tuple[str, str]]:
        """The headers that say how long it took."""
        overhead_ms, upstream_ms = self.request.reply.times_ms()
        return [("x-dragoman-overhead-ms", f"{overhead_ms:.3f}"), ("x-dragoman-upstream-ms", f"{upstream_ms:.3f}")]

    def headers(self, attempts: int) -> list[tuple[str, str]]:
        """What any answer's headers say of the way it took."""
        by = self.kept or self.deployment
        told = [] if by is None else told_of(by)
        return [*self._tries_told(attempts), *told, *self.further_headers()]

    def further_headers(self) -> list[tuple[str, str]]:
        """Of these, those after the ones that say who gave the answer."""
        headers = []
        if self.cache:
            headers.append(("x-dragoman-cache", self._cache_told))
        if self.cache == "replay":
            headers.append(("x-idempotent-replayed", "true"))
        if self.kept is not None:
            headers.append(("x-dragoman-cache-id", self.kept.request_id))
        if self.prompt:
            headers.append(("x-dragoman-prompt", self.prompt))
        if self.adjusted:
            headers.append(("x-dragoman-parameters", self.adjusted))
        if self.lossy:
            headers.append(("x-dragoman-lossy", self.lossy))
        if self.guarding is not None:
            headers.append(("x-dragoman-guardrails", self.guarding.told))
        if self.cost_estimate_nanousd is not None:
            headers.append(("x-dragoman-cost-estimate", f"{self.cost_estimate_nanousd / 1e9:.9f}"))
        return headers + self.limits if self.limits else headers
