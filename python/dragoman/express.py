"""The express way of plain requests: which may go it, and what is put on record of those that went.

A request that the pipeline has served leaves a pass for those like it, unless something about it has to be looked at
each time. :class:`~dragoman.core.Express` then serves them without Python: it sends them, or gives what the cache has
(:mod:`dragoman.routing.given`). What a pass rests on (keys, limits, the configuration) is never compared: passes are
forgotten when any of it changes, and a request that changes nothing leaves a new one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from dragoman.access.cache_knobs import HEADERS as CACHE_HEADERS
from dragoman.access.credentials import HEADERS as KEY_HEADERS
from dragoman.access.credentials import secret_of
from dragoman.access.knobs import PROPERTY_PREFIX, TABLE, read_knobs
from dragoman.access.principal import ANONYMOUS
from dragoman.cache.serve import is_looked_for
from dragoman.core import Express, Given, Pass
from dragoman.guardrails.prompts.build import NO_RULES
from dragoman.ledger.book import Asker
from dragoman.ledger.bound import Bound
from dragoman.routing import given
from dragoman.routing.arrival import RECALLING_WORDS
from dragoman.routing.launch import ENDPOINT, PATH, is_plain
from dragoman.routing.run import AttemptNote
from dragoman.routing.sending import SEALED_WORDS
from dragoman.server.request import GRACE_S
from dragoman.usage.count import count, kind_of
from dragoman.usage.row import FIELDS as COLUMNS
from dragoman.usage.row import UsageRow, changed

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.core import CachePass, Ended, Growing
    from dragoman.gateway import Gateway
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.sieve import Sifting
    from dragoman.ledger.allowance import Allowance
    from dragoman.ledger.hold import Holds
    from dragoman.routing.build import Snapshot
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Member, Plan
    from dragoman.routing.run import Run
    from dragoman.usage.row import Cells

    # The log of an attempt, but for why it was made and what it took: these stand between the parts.
    Log = tuple[str, str, str]
    # Requests that are alike, their rows, and what the deployment is known as that answered each.
    Recorded = tuple[Ended | Given, list[Cells], list[str]]

log = logging.getLogger("dragoman.express")

ALIAS_PATH = f"/v1{PATH}"
# Headers that a request's way depends on, beside knobs and the places of keys.
SPEAKING = ("content-encoding", "expect", "idempotency-key", "origin", "transfer-encoding")
# The hash of the key's secret, where everybody is served.
ANYBODY = bytes(32)
# The rehearsal may break its answers off, as a server of its own would.
REHEARSAL_PREFIX = "/rehearsal/"
# Fields of a body that speak to the gateway.
FIELDS = ("cache", "tensorzero::cache_options", "prompt", "fallbacks", "_previous")
# How long requests that are over are gathered before they are put on record.
GATHER_S = 0.02
_encode = msgspec.json.Encoder().encode


class Passing(Struct, frozen=True):
    """What requests with a pass go by."""

    snapshot: Snapshot
    principal: Principal
    plan: Plan
    members: dict[int, Member]
    row: Cells  # as far as it is the same for all of them
    common: dict[int, tuple[Cells, Log]]  # and for those that a member answers
    holds: Holds

    def follow(self, growing: Growing) -> Allowance:
        """Follow a stream that may become longer than is held for."""
        given, longest, cost_nanousd = growing.held
        asker = Asker(self.principal, self.plan.alias, self.principal.tags)
        bound, accounting = Bound(given + longest, longest, cost_nanousd), self.snapshot.config.ledger
        allowance = self.holds.allow(asker, bound, cost_nanousd, accounting)
        allowance.follow(growing, self.members[growing.index].deployment)
        return allowance


class ExpressWay:
    """The express way of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._settling = threading.Lock()
        self.served = 0  # requests that went this way
        self.core = Express(
            gateway.upstream,
            gateway.keys.hasher,
            headers=([*TABLE, *KEY_HEADERS[1:], *SPEAKING], list(CACHE_HEADERS), PROPERTY_PREFIX),
            body=(list(FIELDS), [*RECALLING_WORDS, *SEALED_WORDS]),
            row=COLUMNS,
            rules=self._rules(),
        )
        self._is_paused = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._settle_often, name="express", daemon=True)
        self._thread.start()
        self.reopen()

    def reopen(self) -> None:
        """Go by the configuration that is in force now."""
        self.core.forget()
        self.core.rule(self._rules())
        self._open()

    def pause(self, is_paused: bool) -> None:  # noqa: FBT001 - as it is said
        """Leave all requests to Python for a while, or no more."""
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            self._open()

    def _open(self) -> None:
        is_relayed_here = self._gateway.snapshot.config.server.relay != "pump"
        self.core.open(is_relayed_here and not self._is_paused and not self._is_closed)

    def _rules(self) -> dict[str, str | float]:
        limits = self._gateway.snapshot.config.server.limits
        return {
            "path": ALIAS_PATH,
            "max_headers": limits.max_headers,
            "max_body_bytes": limits.max_body_bytes,
            "max_json_depth": limits.max_json_depth,
            "max_concurrent": limits.max_concurrent,
            "outstanding_bytes": limits.stream_outstanding_bytes,
            "write_timeout_s": limits.write_timeout_s,
            "body_timeout_s": limits.body_timeout_s,
            "body_grace_s": GRACE_S,
            "body_min_bytes_s": limits.body_min_bytes_s,
            "shares_probes": self._gateway.probing is not None,
            "elsewhere": REHEARSAL_PREFIX,
        }

    def forget(self) -> None:
        """Something has changed that passes rest on."""
        self.core.forget()

    def offer(self, generation: int, snapshot: Snapshot, call: Call, plan: Plan, run: Run) -> None:
        """Let requests like one that has been answered go the express way, if they all may.

        :param generation: what it was when the request came.
        """
        principal, body = run.principal, call.body
        is_kept = is_looked_for(call.knobs, plan, snapshot.config.cache)
        if body is None or body.model is None or not (is_kept or _is_sent_as_it_came(call, plan, run)):
            return
        keys, wishes = self._gateway.keys, given.wishes(run.request.headers)
        digest = ANYBODY if principal is ANONYMOUS else keys.hasher(secret_of(run.request))
        asker = digest, given.written(wishes)
        if self.core.knows(asker, body.model) or keys.in_force(digest) is not principal:
            return
        if call.knobs == read_knobs(wishes, principal) and self._may_all(snapshot, call, plan, run):
            granted = self._granted(snapshot, call, plan, run, is_kept=is_kept)
            if granted is not None:
                self.core.add(generation, asker, body.model, granted)

    def _granted(
        self, snapshot: Snapshot, call: Call, plan: Plan, run: Run, *, is_kept: bool
    ) -> Pass | CachePass | None:
        """What lets such requests pass, if anything does."""
        if is_kept:
            return given.pass_of(self._gateway, call, run, self._passing(snapshot, run.principal, plan))
        return self._pass(snapshot, run.principal, plan, call.guarding)

    def _may_all(self, snapshot: Snapshot, call: Call, plan: Plan, run: Run) -> bool:
        """Whether nothing about such requests has to be looked at each time."""
        gateway, principal = self._gateway, run.principal
        if call.endpoint != ENDPOINT or principal.is_bound_to_places:
            return False
        audit, rules = gateway.auditor, snapshot.prompts.rules(principal, plan.alias)
        is_recorded = audit.settings.mode == "strict" or (audit.trail.is_on and audit.settings.content != "off")
        return (
            not is_recorded
            and rules is NO_RULES
            and not snapshot.guardrails.canary(principal, plan.alias, gateway.pepper)
            and (call.guarding is None or call.guarding.sifting is not None)
            and principal.max_request_usd is None
        )

    def _limited(self, snapshot: Snapshot, principal: Principal, plan: Plan) -> dict[str, object] | None:
        """What limits such requests; ``None``: they cannot be held at once, by what is known beforehand."""
        book = self._gateway.book
        try:
            scope = book.scope(Asker(principal, plan.alias, principal.tags))  # of those that say nothing of themselves
        except OverflowError:
            return None
        pricing, is_priced = plan.ceiling.now()
        if scope is not None and scope.counts_cost and not is_priced:
            return None
        unsaid, by_end_user = snapshot.config.ledger.output_tokens, book.tells_apart("end_user")
        return {"scope": scope, "pricing": pricing, "unsaid": unsaid, "by_end_user": by_end_user}

    def _pass(self, snapshot: Snapshot, principal: Principal, plan: Plan, guarding: Guarding | None) -> Pass | None:
        tier = plan.tiers[0]
        sifting = None if guarding is None else guarding.sifting
        members = [member for one in plan.tiers for member in one.members.values()]
        until_s = min(member.deployment.rates_until_s for member in members)
        limited = self._limited(snapshot, principal, plan)
        if limited is None:
            return None
        knobs, expires_ms = read_knobs({}, principal), principal.expires_at_ms
        return Pass(
            {
                "told": self._passing(snapshot, principal, plan, "" if sifting is None else sifting.told),
                "launcher": tier.launcher,
                "fares": [_fare(member) for member in tier.members.values()],
                "typical": self._gateway.typical,
                "guards": None if sifting is None else _guards(sifting),
                "headers": [
                    ("x-dragoman-snapshot", str(snapshot.number)),
                    ("x-dragoman-attempts", "1"),
                    ("x-dragoman-fallback-index", "0"),
                ],
                "deadline_s": min(knobs.deadline_s or plan.deadline_s, plan.deadline_s),
                "is_alone": len(plan.tiers) == 1,
                "keeps_bodies": self._gateway.auditor.trail.is_on,
                "until_s": until_s if expires_ms is None else min(until_s, expires_ms / 1000),
                "limited": limited,
            }
        )

    def settle(self) -> None:
        """Put on record what is over."""
        with self._settling:
            over: list[Recorded] = []
            for ended in self.core.take_ended():
                self.served += len(ended)
                try:
                    over.append((ended, *self._rows(ended)))
                except Exception:  # the others are to be kept
                    log.exception("%d requests cannot be put on record", len(ended))
            for put in (self._write, self._count, self._tell):
                try:
                    put(over)
                except Exception:  # the rest of it is to be done, and the thread to go on
                    log.exception("%d requests cannot be accounted for in full", sum(len(rows) for _, rows, _ in over))

    def _settle_often(self) -> None:
        while self.core.wait_ended():
            time.sleep(GATHER_S)
            self.settle()

    def close(self) -> None:
        """Put the last of them on record."""
        self._is_closed = True
        self._open()
        self.core.close()
        self._thread.join()
        self.settle()

    def _passing(self, snapshot: Snapshot, principal: Principal, plan: Plan, guardrails: str = "") -> Passing:
        row = astuple(
            UsageRow(
                request_id="",
                started_at_ms=0,
                snapshot=snapshot.number,
                endpoint=ENDPOINT,
                status=200,
                key_id=principal.key_id,
                organisation=principal.organisation,
                team=principal.team,
                user=principal.user,
                app=principal.app,
                tags=",".join(sorted(set(principal.tags))),
                alias=plan.alias,
                guardrails=guardrails,
            )
        )
        members = plan.tiers[0].members
        common = {index: (_common(row, member), _log(member)) for index, member in members.items()}
        return Passing(snapshot, principal, plan, members, row, common, self._gateway.holds)

    def _rows(self, ended: Ended | Given) -> tuple[list[Cells], list[str]]:
        """The rows of requests that are alike, and what the deployment is known as that answered each."""
        if isinstance(ended, Given):
            return given.rows_of(ended)
        told = cast("Passing", ended.told)
        rows = ended.rows(*told.common[ended.index])
        return rows, [told.members[ended.index].deployment.known_as] * len(rows)

    def _write(self, over: list[Recorded]) -> None:
        self._gateway.writer.put_all([row for _, rows, _ in over for row in rows])

    def _count(self, over: list[Recorded]) -> None:
        gateway = self._gateway
        counted: defaultdict[tuple[object, str], list[Cells]] = defaultdict(list)
        for ended, rows, known_as in over:
            gateway.keys.note_used(cast("Passing", ended.told).principal)
            for row, name in zip(rows, known_as, strict=True):
                counted[kind_of(row), name].append(row)
        for (_, name), rows in counted.items():
            count(gateway.metrics, rows, name)

    def _tell(self, over: list[Recorded]) -> None:
        """Tell the audit log of requests, in the order in which they have ended."""
        if not self._gateway.auditor.trail.is_on:
            return
        heard: list[tuple[int, Cells, Principal, str, bytes]] = []
        for ended, rows, _ in over:
            principal = cast("Passing", ended.told).principal
            those = zip(ended.heard(), rows, strict=True)
            heard += ((number, row, principal, client, body) for (number, client, body), row in those)
        for _, row, principal, client, body in sorted(heard, key=itemgetter(0)):
            try:
                self._gateway.auditor.passed(row, principal, client, body)
            except Exception:  # the others are to be told of
                log.exception("a request cannot be told to the audit log")


def _is_sent_as_it_came(call: Call, plan: Plan, run: Run) -> bool:
    is_sent = plan.tiers[0].launcher is not None and len(run.notes) == 1 and run.last_error is None
    return is_sent and plan.hedge is None and not plan.keeps_sessions and is_plain(call, plan)


def _fare(member: Member) -> dict[str, object]:
    deployment = member.deployment
    rates = deployment.rates
    return {
        "index": member.index,
        "counter": deployment.counter,
        "model": deployment.model,
        "rates": None if rates is None else rates.core,
        "known_as": deployment.known_as,
    }


def _guards(sifting: Sifting) -> dict[str, object]:
    told = ("x-dragoman-guardrails", sifting.told)
    return {"requests": sifting.requests, "answers": sifting.answers, "told": told}


def _common(row: Cells, member: Member) -> Cells:
    deployment = member.deployment
    return changed(
        row,
        provider=deployment.provider,
        model=deployment.model,
        deployment=deployment.name,
        credential=member.credential,
        attempts=1,
        usage_source="provider",
    )


def _log(member: Member) -> Log:
    """What :meth:`Ended.rows` writes logs of."""
    note = AttemptNote(member.deployment.name, member.credential, "", "ok", 0.0)
    # No text has quotes in it that are not escaped.
    before, why, after = _encode([note]).decode().partition('"why":"')
    between, ms, _ = after.partition('"ms":')
    return before + why, between + ms, "}]"
