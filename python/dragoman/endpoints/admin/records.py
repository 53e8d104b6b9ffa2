"""The audit log by the admin API, within the organisation of whoever asks. To look at it is on record itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dragoman.audit.record import AuditRecord
from dragoman.audit.search import Found, Wanted, search
from dragoman.endpoints.admin.operation import MOST_LISTED, Answer, Call, Operation, missing
from dragoman.errors import InvalidRequest
from dragoman.usage.report import parse_moment_ms

if TYPE_CHECKING:
    from dragoman.audit.content import Part

_FIELDS = ("id", "kind", "key_id", "actor", "team", "user", "app", "alias", "model", "code")


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records are wanted."""

    organisation: str | None = None
    id: str = ""
    kind: str = ""
    key_id: str = ""
    actor: str = ""
    team: str = ""
    user: str = ""
    app: str = ""
    alias: str = ""
    model: str = ""
    code: str = ""
    decision: Literal["", "allowed", "refused", "failed"] = ""
    since: str = ""
    until: str = ""
    limit: int = 50


class RecordShown(Struct, frozen=True, kw_only=True):
    """A record, and where in the log it stands."""

    writer: str
    seq: int
    record: dict[str, Any]


class Records(Struct, frozen=True, kw_only=True):
    """Those found, the newest first."""

    object: Literal["list"] = "list"
    data: list[RecordShown]


class Reading(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why what others said is read, and who said it, where the request names an end user."""

    reason: Annotated[str, Meta(min_length=1, max_length=512)]
    end_user: str = ""


class Content(Struct, frozen=True, kw_only=True):
    """What was kept of a request; null: nothing, or it is over, erased or another person's."""

    object: Literal["content"] = "content"
    id: str
    prompt: str | None
    answer: str | None


def _read(call: Call) -> Answer:
    gateway, request_id = call.gateway, call.params["id"]
    found = next(_found(call, Wanted(fields={"id": request_id} | _scope(call, None))), None)
    if found is None:
        raise missing("record", request_id)
    record = found.record
    if record.subject and not call.query.end_user:
        message = "end_user: say which; the log has no name of them."
        raise InvalidRequest(message, param="end_user")
    tenant = record.organisation or record.team or record.key_id
    told = {"read": request_id, "tenant": tenant, "subject": record.subject, "reason": call.query.reason}
    call.record("content.read", organisation=record.organisation, **told)
    contents = gateway.auditor.contents
    contents.flush()
    subject = gateway.auditor.subjects.find(tenant, call.query.end_user or record.key_id)
    parts: tuple[Part, Part] = ("prompt", "answer")
    kept = [None if subject is None else contents.find(subject, request_id, part) for part in parts]
    prompt, answer = (None if one is None else one.decode("utf-8", "replace") for one in kept)
    return Answer(Content(id=request_id, prompt=prompt, answer=answer))


def _scope(call: Call, named: str | None) -> dict[str, str]:
    """Where whoever asks may look."""
    principal = call.principal
    organisation = named if principal.admin else call.organisation(named)
    fields = {} if organisation is None else {"organisation": organisation}
    return fields | ({"team": principal.team} if principal.team and not principal.admin else {})


def _search(call: Call) -> Answer:
    query = call.query
    if not 1 <= query.limit <= MOST_LISTED:
        raise InvalidRequest(f"limit: from 1 to {MOST_LISTED}.", param="limit")
    fields = {name: getattr(query, name) for name in _FIELDS if getattr(query, name)}
    fields |= _scope(call, query.organisation)
    wanted = Wanted(
        fields=fields,
        since_ms=_moment_ms(query.since, "since"),
        until_ms=_moment_ms(query.until, "until"),
        decision=query.decision,
    )
    found = _found(call, wanted)
    return Answer(Records(data=[_shown(one) for one in islice(found, query.limit)]))


def _found(call: Call, wanted: Wanted) -> Iterator[Found]:
    call.gateway.auditor.flush()
    call.record("audit.search", fields=sorted(wanted.fields))  # durable when it returns, and all before it
    directory = call.gateway.auditor.trail.directory
    return search(directory, wanted) if directory.is_dir() else iter(())


def _shown(found: Found) -> RecordShown:
    return RecordShown(writer=found.writer, seq=found.seq, record=_told(found.record))


def _told(record: AuditRecord) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(record)
    return told


def _moment_ms(text: str, param: str) -> int | None:
    if not text:
        return None
    try:
        return parse_moment_ms(text, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise InvalidRequest(f"{param}: {error}.", param=param) from None


OPERATIONS = [
    Operation(
        id="search_audit",
        method="GET",
        path="/audit",
        summary="Search the audit log",
        permissions=("audit.read",),
        run=_search,
        query=Asked,
        answer=Records,
        tag="audit",
    ),
    Operation(
        id="read_content",
        method="GET",
        path="/audit/{id}/content",
        summary="Read what is kept of a request's prompt and answer",
        permissions=("audit.content",),
        run=_read,
        query=Reading,
        answer=Content,
        tag="audit",
    ),
]
