"""The admin API as requests come to it: found in the table, let in, read, done on a thread, answered."""

from __future__ import annotations

import asyncio
import hmac
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from dragoman.access.credentials import presented_key
from dragoman.access.roles import may
from dragoman.audit.record import AuditRecord
from dragoman.driver import OnLoop
from dragoman.endpoints.admin.operation import Answer, Call, Operation
from dragoman.endpoints.admin.pages import converted
from dragoman.endpoints.admin.table import OPERATIONS
from dragoman.endpoints.answers import own_headers
from dragoman.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    StoreError,
    Unauthenticated,
)
from dragoman.store.replies import UNDERWAY, Replies

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

DURABLE_WITHIN_S = 10.0
MOST_KEY_CHARS = 255
IDEMPOTENCY = "idempotency-key"
# Nothing of it is for caches, for frames, or for guesses at what it is.
HEADERS = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
]


class AdminApi:
    """Serves whatever is in the table."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.replies = Replies(gateway.store.engine, gateway.pepper)

    async def serve(self, request: Request) -> None:
        """Answer one request."""
        principal = self.come(request)
        operation, params = find(request.method, request.path)
        raw = await self.gateway.read_body(request)
        outcome: list[tuple[int, Answer]] = []
        await OnLoop(self._on_thread(outcome, partial(self._answer, request, principal, operation, params, raw)))
        status, answer = outcome[0]
        headers = own_headers(request, self.gateway.snapshot.number) + HEADERS
        headers[0] = ("content-type", answer.content_type)
        if answer.etag:
            headers.append(("etag", answer.etag))
        if answer.etag and request.method == "GET" and answer.etag in request.headers.get("if-none-match", ""):
            status, body = 304, b""
        else:
            body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
        request.stage = "answered"
        request.proto.response_bytes(status, headers, body)

    async def _on_thread(self, outcome: list[tuple[int, Answer]], work: Any) -> None:
        outcome.append(await asyncio.to_thread(work))

    def come(self, request: Request) -> Principal:
        """Who asks.

        Raises:
            Unauthenticated: nobody with a key that is in force.
            Forbidden: somebody who may nothing here.
        """
        secret = presented_key(request.headers)
        principal = self.gateway.entrance.find_for_admin(secret, request.client)
        if principal is None:
            words = "is not valid" if secret else "is missing"
            raise Unauthenticated(f"The admin API needs a key of this gateway, and it {words}.")
        principal.permit("admin")
        if not principal.admin and not principal.permissions:
            raise Forbidden("This key has no role, so it may nothing here.", code="permission_denied")
        return principal

    def _answer(
        self, request: Request, principal: Principal, operation: Operation, params: dict[str, str], raw: bytes
    ) -> tuple[int, Answer]:
        try:
            _check_permission(principal, operation)
            call = self._call(request, principal, operation, params, raw)
            chosen = request.headers.get(IDEMPOTENCY, "") if request.method == "POST" else ""
            done = self._once(call, operation, chosen, raw) if chosen else (operation.status, operation.run(call))
            if request.method != "GET":
                self.gateway.tell_change()
            return done
        except StoreError as error:
            message = f"{str(error)[:1].upper()}{str(error)[1:]}."
            raise Overloaded(message, code="store_unavailable", retry_after_s=1) from None
        except Forbidden as refused:
            self._refused(request, principal, operation, refused)
            raise

    def _call(
        self, request: Request, principal: Principal, operation: Operation, params: dict[str, str], raw: bytes
    ) -> Call:
        asked = parse_qsl(request.query, keep_blank_values=True)
        if len(dict(asked)) < len(asked):
            raise InvalidRequest("The query has a field twice.", code="invalid_query")
        return Call(
            gateway=self.gateway,
            principal=principal,
            params=params,
            query=converted(dict(asked), operation.query, strict=False),
            body=None if operation.body is None else _object(raw),
            if_match=request.headers.get("if-match", ""),
            record=partial(self.record, request, principal),
        )

    def _once(self, call: Call, operation: Operation, chosen: str, raw: bytes) -> tuple[int, Answer]:
        """Do what is asked once, however often it is asked with the same key."""
        if len(chosen) > MOST_KEY_CHARS:
            raise InvalidRequest(f"{IDEMPOTENCY}: at most {MOST_KEY_CHARS} characters.", param=IDEMPOTENCY)
        pepper = self.gateway.pepper
        reply_id = hmac.digest(pepper, f"{call.principal.key_id}\0{chosen}".encode(), "sha256").hex()
        told = f"{operation.id}\0{sorted(call.params.items())}\0".encode()
        request = hmac.digest(pepper, told + raw, "sha256").hex()
        known = self.replies.begin(reply_id, request, now_ms=_now_ms())
        if known is not None:
            if known.status == UNDERWAY:
                message = "The request of that key is under way; ask again in a moment."
                raise Conflict(message, code="idempotency_key_in_use", retry_after_s=1)
            if known.request != request:
                message = "That key was another request's; choose a new one."
                raise Conflict(message, code="idempotency_key_reused", param=IDEMPOTENCY)
            return known.status, Answer(known.body)
        try:
            answer = operation.run(call)
            self.replies.end(reply_id, operation.status, msgspec.json.encode(answer.body), now_ms=_now_ms())
        except BaseException:
            self.replies.forget(reply_id)
            raise
        return operation.status, answer

    def record(self, request: Request, principal: Principal, kind: str, **detail: Any) -> None:
        """Put an act on record before it is done.

        Raises:
            Overloaded: it cannot be made durable.
        """
        told: list[bool] = []
        durable = threading.Event()

        def wake(well: bool) -> None:  # noqa: FBT001 - as it is called
            told.append(well)
            durable.set()

        organisation = detail.pop("organisation", principal.organisation)
        record = _about(request, principal, kind, organisation, detail)
        self.gateway.auditor.trail.put_durably(record, wake)
        durable.wait(DURABLE_WITHIN_S)
        if told != [True]:
            message = "The audit log cannot be written, so nothing is done."
            raise Overloaded(message, code="audit_unavailable", retry_after_s=1)

    def _refused(self, request: Request, principal: Principal, operation: Operation, error: RequestError) -> None:
        kind, detail = f"admin.{operation.id}", {"path": request.path[:256]}
        record = _about(request, principal, kind, principal.organisation, detail)
        refused = msgspec.structs.replace(
            record, decision="refused", status=error.http_status, code=error.error_code, rule=error.error_code
        )
        self.gateway.auditor.trail.put(refused)


def find(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation of a path, and what the path names.

    Raises:
        NotFound: there is none.
        MethodNotAllowed: there are others of the path.
    """
    found = None
    for operation in OPERATIONS:
        match = operation.pattern.fullmatch(path)
        if match is None:
            continue
        # Of two that match, the one that names more of the path: /keys/leaked before /keys/{id}.
        if operation.method == method and (found is None or len(match.groupdict()) < len(found[1])):
            found = operation, match.groupdict()
    if found is None:
        if any(operation.pattern.fullmatch(path) for operation in OPERATIONS):
            raise MethodNotAllowed(f"{path} does not take {method}.")
        raise NotFound(f"There is no {method} {path}.")
    return found


def _check_permission(principal: Principal, operation: Operation) -> None:
    wanted = operation.permissions
    if wanted and not any(may(principal, permission) for permission in wanted):
        raise Forbidden(f"This needs the permission {' or '.join(wanted)}.", code="permission_denied")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no JSON object: {error}.", code="invalid_json") from None


def _about(request: Request, principal: Principal, kind: str, organisation: str, detail: dict[str, Any]) -> AuditRecord:
    return AuditRecord(
        kind=kind,
        at_ms=_now_ms(),
        id=request.id,
        key_id=principal.key_id,
        actor=principal.user or principal.name,
        organisation=organisation,
        team=principal.team,
        user=principal.user,
        app=principal.app,
        address=request.client,
        detail=detail,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
