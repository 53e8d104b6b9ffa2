"""What the audit log is told of requests."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from dragoman.audit.record import AuditRecord, Decision
from dragoman.driver import CalledBack
from dragoman.errors import GuardrailBlocked, LimitExceeded, Overloaded, StoreError
from dragoman.usage.row import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.access.principal import Principal
    from dragoman.audit.content import Contents
    from dragoman.audit.subjects import Subject, Subjects
    from dragoman.audit.trail import Trail
    from dragoman.config.auditing import Audit
    from dragoman.errors import RequestError
    from dragoman.routing.run import Run
    from dragoman.server.request import Request
    from dragoman.usage.row import Cells

    # A request that is over, as far as its record is about it: its row, the client's address, the tenant, the end user,
    # the body, the decision and its rule, and what is kept of it.
    Ended = tuple[Cells, str, str, str, bytes, Decision, str, str]

log = logging.getLogger("dragoman.audit")

# Of requests without a good key so many are recorded a second; of a flood the rest is counted.
STRANGERS_A_SECOND = 10


# Records of requests that are over are made so often, or once they hold so many bytes of bodies.
FLUSH_EVERY_S = 0.05
MOST_WAITING_BYTES = 4 * 1024 * 1024
# What a record says as the row does.
_whose = reader("started_at_ms", "request_id", "key_id", "organisation", "team", "user", "app")
_what = reader("endpoint", "status", "error_code", "alias", "guardrails", "cache", "snapshot")
_by_whom = reader("provider", "model", "deployment", "attempts", "input_tokens", "output_tokens", "cost_nanousd")
_end_user = reader("end_user")


class Auditor:
    """Tells the log."""

    def __init__(self, trail: Trail, subjects: Subjects, contents: Contents, settings: Audit) -> None:
        self.trail = trail
        self.subjects = subjects
        self.contents = contents
        self.settings = settings
        self.gather: Callable[[], None] = lambda: None  # has those told of that are over
        self._second = 0
        self._strangers = 0
        self._uncounted = 0
        self._ended: deque[Ended] = deque()
        self._ended_bytes = 0
        self._flushing = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._flush_often, name="audit-records", daemon=True)
        if trail.is_on:
            self._thread.start()

    def replace(self, settings: Audit) -> None:
        """These are the settings from now on; where the log is, and whether there is one, only from the next start."""
        fixed = ("directory", "copy_heads_to", "segment_records", "segment_s", "queue_bytes", "syslog")
        differ = [name for name in fixed if getattr(settings, name) != getattr(self.settings, name)]
        if differ or (settings.mode == "off") is self.trail.is_on:
            log.warning("audit: %s holds from the next start on", ", ".join(differ) or "mode")
        self.settings = settings

    @property
    def keeps_answers(self) -> bool:
        """Whether answers are kept."""
        return self.trail.is_on and self.settings.content == "full"

    async def before(self, run: Run) -> None:
        """See that a request is on record before anything comes of it, where the log is strict.

        Raises:
            Overloaded: the record cannot be made durable.
        """
        if self.settings.mode != "strict":
            return
        if not self.trail.is_on or not await CalledBack(partial(self.trail.put_durably, self._begun(run))):
            raise _unavailable()

    async def before_on_loop(self, run: Run) -> None:
        """The same, for what runs on the event loop.

        Raises:
            Overloaded: the record cannot be made durable.
        """
        if self.settings.mode != "strict":
            return
        if not self.trail.is_on:
            raise _unavailable()
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bool] = loop.create_future()
        self.trail.put_durably(self._begun(run), lambda well: loop.call_soon_threadsafe(told.set_result, well))
        if not await told:
            raise _unavailable()

    def request(self, run: Run, row: Cells) -> None:
        """A request is over: its record is made within a moment, on a thread of its own.

        Many at once cost a third of what each costs on its request's way, between other things.
        """
        if not self.trail.is_on:
            return
        body, error = run.body, run.error
        kept = self._kept(run) if self.settings.content != "off" and body else ""
        decision: Decision = "allowed" if error is None else decision_of(error)
        rule = "" if error is None else rule_of(error)
        self._wait((row, run.request.client, run.principal.tenant, run.end_user, body, decision, rule, kept))

    def passed(self, row: Cells, principal: Principal, client: str, body: bytes) -> None:
        """The same, of one that went the express way."""
        if self.trail.is_on:
            self._wait((row, client, principal.tenant, _end_user(row), body, "allowed", "", ""))

    def _wait(self, ended: Ended) -> None:
        self._ended.append(ended)
        self._ended_bytes += len(ended[4])
        if self._ended_bytes > MOST_WAITING_BYTES:
            self._flush()

    def flush(self) -> None:
        """Make the records of all requests that are over, and see that those are made which another thread is at."""
        self.gather()
        self._flush()

    def _flush(self) -> None:
        with self._flushing:
            self._ended_bytes = 0
            records = [self._record(self._ended.popleft()) for _ in range(len(self._ended))]
            if records:
                self.trail.put(*records)

    def _flush_often(self) -> None:
        while not self._stopped.wait(FLUSH_EVERY_S):
            self._flush()

    def _record(self, ended: Ended) -> AuditRecord:
        row, client, tenant, end_user, body, decision, rule, kept = ended
        at_ms, request_id, key_id, organisation, team, user, app = _whose(row)
        endpoint, status, code, alias, guardrails, cache, snapshot = _what(row)
        provider, model, deployment, attempts, input_tokens, output_tokens, cost_nanousd = _by_whom(row)
        subject = self._subject(tenant, end_user or key_id)
        # By place, in the order of the line: by name it takes four times as long.
        return AuditRecord(
            "request",
            at_ms,
            request_id,
            key_id,
            "",
            organisation,
            team,
            user,
            app,
            "" if subject is None or not end_user else subject.pseudonym,
            client,
            endpoint,
            decision,
            rule,
            status,
            code,
            alias,
            provider,
            model,
            deployment,
            attempts,
            input_tokens,
            output_tokens,
            cost_nanousd,
            guardrails,
            cache,
            snapshot,
            "" if subject is None or not body else subject.fingerprint(body),
            kept,
        )

    def _kept(self, run: Run) -> str:
        """What is kept of what is said."""
        if run.knobs is not None and run.knobs.no_log:
            return ""
        subject = self._subject_of(run)
        return "" if subject is None else self._keep(run, subject)

    def _begun(self, run: Run) -> AuditRecord:
        request, principal = run.request, run.principal
        subject = self._subject_of(run)
        return AuditRecord(
            kind="request.begin",
            at_ms=request.started_at_ms,
            id=request.id,
            key_id=principal.key_id,
            organisation=principal.organisation,
            team=principal.team,
            user=principal.user,
            app=principal.app,
            subject="" if subject is None or not run.end_user else subject.pseudonym,
            address=request.client,
            endpoint=run.endpoint,
            alias=run.alias,
            snapshot=run.snapshot,
            prompt="" if subject is None or not run.body else subject.fingerprint(run.body),
        )

    def _subject_of(self, run: Run) -> Subject | None:
        return self._subject(run.principal.tenant, run.end_user or run.principal.key_id)

    def _subject(self, tenant: str, name: str) -> Subject | None:
        """Whose a request is; ``None``: nobody's secrets can be had now."""
        try:
            return self.subjects.of(tenant, name)
        except StoreError as error:
            log.error("%s", error)
            return None

    def _keep(self, run: Run, subject: Subject) -> str:
        """Keep what is said, as the settings have it."""
        content, request = self.settings.content, run.request
        most, days = self.settings.max_content_bytes, self.settings.content_days
        prompt = run.sent_body if content == "masked" else run.body
        self.contents.keep(subject, request.id, "prompt", prompt[:most], at_ms=request.started_at_ms, days=days)
        answer = _answer_of(run) if content == "full" else b""
        if answer:
            self.contents.keep(subject, request.id, "answer", answer[:most], at_ms=request.started_at_ms, days=days)
        return content

    def close(self) -> None:
        """Write what waits."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        self.contents.close()
        self.subjects.close()
        self.trail.close()

    def stranger(self, request: Request, error: RequestError) -> None:
        """A request without a good key was refused."""
        now_s = int(time.time())
        if now_s != self._second:
            self._second, self._strangers = now_s, 0
        self._strangers += 1
        if self._strangers > STRANGERS_A_SECOND:
            self._uncounted += 1
            return
        detail = {"unrecorded_before": self._uncounted} if self._uncounted else {}
        self._uncounted = 0
        self.trail.put(
            AuditRecord(
                kind="request",
                at_ms=request.started_at_ms,
                id=request.id,
                address=request.client,
                endpoint=request.path[:128],
                decision="refused",
                rule="authentication",
                status=error.http_status,
                code=error.error_code,
                detail=detail,
            )
        )


def _unavailable() -> Overloaded:
    message = "The audit log cannot be written, so no request is served."
    return Overloaded(message, code="audit_unavailable", retry_after_s=1)


def decision_of(error: RequestError | None) -> Decision:
    """What became of a request: refused by a rule of ours, or failed."""
    if error is None:
        return "allowed"
    return "refused" if error.fault == "client" and error.http_status in (400, 401, 403, 404, 429) else "failed"


def rule_of(error: RequestError | None) -> str:
    """Which rule refused it."""
    if isinstance(error, GuardrailBlocked):
        return f"guardrail:{error.guardrail}"
    if isinstance(error, LimitExceeded):
        return f"limit:{error.limit}"
    return "" if error is None or decision_of(error) != "refused" else error.error_code


def _answer_of(run: Run) -> bytes:
    """What the client got, as far as it was recorded."""
    recording = run.request.recording
    if recording is not None and recording.content_type is not None:
        return recording.body
    return b"" if run.outcome is None or run.outcome.failure else run.outcome.body
