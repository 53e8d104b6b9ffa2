"""Every error the gateway can answer with, drawn as a tree.

::

    DragomanError
    ├── ConfigError                 the operator's file; never reaches a client
    ├── StoreError                  the database cannot be used; never reaches a client
    │   ├── DatabaseAway            nobody answers where it is to be
    │   ├── NameTaken               something else has the name
    │   ├── NotThere                what something is to be in is not there
    │   └── StillUsed               something else refers to it
    └── RequestError                has a status, a fault and an OpenAI-shaped body
        ├── ClientError             fault: client
        │   ├── InvalidRequest      400   a field is wrong; names the field
        │   │   ├── Untranslatable  400   this deployment cannot carry the request; another may
        │   │   └── GuardrailBlocked 400  a guardrail refuses it; says which
        │   ├── Unauthenticated     401   no key, or a key that is not ours
        │   ├── Forbidden           403   the key may not do this
        │   ├── LimitExceeded       429   a limit of ours; says when to try again
        │   │   └── BudgetExceeded  429   the money is spent; waiting helps when a new period begins, if ever
        │   ├── NotFound            404   no such path, model or request
        │   ├── MethodNotAllowed    405
        │   ├── Conflict            409   it is there already, or still in use
        │   ├── PreconditionFailed  412   it has changed since it was read
        │   ├── RequestTimeout      408   the body did not arrive in time
        │   ├── BodyTooLarge        413
        │   ├── UnsupportedMedia    415
        │   ├── Quarantined         422   it has brought down workers
        │   ├── KeyReused           422   its idempotency key was another request's
        │   ├── HeadersTooLarge     431
        │   ├── ClientGone          499   hung up; nobody reads the answer
        │   └── NotCached           504   only what is kept was wanted, and nothing is
        ├── GatewayError            fault: gateway
        │   ├── Internal            500   a bug of ours
        │   ├── Overloaded          503   all slots taken; says when to retry
        │   └── ShuttingDown        503
        └── UpstreamError           fault: upstream
            ├── UpstreamUnreachable 502   DNS, refused, reset before headers
            ├── UpstreamTls         502
            ├── UpstreamProtocol    502   not HTTP, not JSON, too large, redirected
            ├── UpstreamAuth        502   the provider refuses our credential
            ├── UpstreamStatus      502   5xx and the like; the provider's own words kept
            ├── UpstreamRejected    4xx   the client's fault as the provider sees it: body passed on
            ├── UpstreamLimited     429   the provider limits us; says when to retry
            ├── UpstreamTimeout     504   no first byte, or silence between bytes
            ├── UpstreamCut         502   a stream that ended before its end
            ├── DeadlineExceeded    504   the request's own deadline
            ├── Repeated            5xx   what the same request came to before; nobody was asked again
            └── NoDeployment        503   every deployment is cooling down or excluded
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Report

Fault = Literal["client", "upstream", "gateway"]


class DragomanError(Exception):
    """The root of the tree."""


class ConfigError(DragomanError):
    """The configuration cannot be used. ``problems`` lists every fault found, each naming file, line and field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(DragomanError):
    """The database cannot be used; the text says why and what to do."""


class DatabaseAway(StoreError):
    """Nobody answers where the database is to be."""


class Uncertain(StoreError):
    """It may have been committed, or not: the connection was lost before the database said."""


class NameTaken(StoreError):
    """Something else has the name."""


class NotThere(StoreError):
    """What something is to be in, such as a team, is not there."""


class StillUsed(StoreError):
    """It cannot be removed while something refers to it."""


class RequestError(DragomanError):
    """An error that a client is answered with.

    ``retryable`` says whether another attempt, here or elsewhere, may succeed. ``retry_after_s`` is what the answer's
    ``Retry-After`` says, when it is known.
    """

    status: ClassVar[int] = 500
    fault: ClassVar[Fault] = "gateway"
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.error_code = code or self.code
        self.headers: list[tuple[str, str]] = []  # what is known of the way the request took
        self.exhausted = False  # the gateway has tried again as often as it may; to ask once more only adds load

    def __copy__(self) -> Self:
        """The same for another request, which took a way of its own."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        return other

    @property
    def http_status(self) -> int:
        """The status of the answer."""
        return self.status


class ClientError(RequestError):
    """The client's fault."""

    status = 400
    fault = "client"
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidRequest(ClientError):
    """A field of the request is wrong; ``param`` names it."""


class Untranslatable(InvalidRequest):
    """What the request asks for is lost on the way to a deployment, and the policy does not allow that."""

    code = "lossy_translation"
    retryable = True


class GuardrailBlocked(InvalidRequest):
    """A guardrail refuses what the request says. The text says what kind of thing it found, never the thing."""

    code = "guardrail_blocked"

    def __init__(self, guardrail: str, reason: str) -> None:
        super().__init__(f"The guardrail {guardrail!r} refused the request: {reason}.")
        self.guardrail = guardrail


class Unauthenticated(ClientError):
    """No key, or one that is unknown, expired or revoked; which of these is not said."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(ClientError):
    """The key is good, but may not do this."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class LimitExceeded(ClientError):
    """A limit of the gateway's refuses the request. ``retry_after_s`` is exact: who waits so long is not refused."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True
    limit = ""  # its name


class BudgetExceeded(LimitExceeded):
    """What may be spent is spent. Clients should not try again by themselves."""

    type = "insufficient_quota"
    code = "budget_exceeded"
    retryable = False


class NotFound(ClientError):
    """No such path, model or request (or none that this key may see)."""

    status = 404
    code = "not_found"


class MethodNotAllowed(ClientError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class Conflict(ClientError):
    """It is there already, or still in use."""

    status = 409
    code = "conflict"


class PreconditionFailed(ClientError):
    """It has changed since it was read."""

    status = 412
    code = "precondition_failed"


class RequestTimeout(ClientError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(ClientError):
    """The body is over the limit."""

    status = 413
    code = "body_too_large"


class UnsupportedMedia(ClientError):
    """A content type or encoding that is not read here."""

    status = 415
    code = "unsupported_media_type"


class Quarantined(ClientError):
    """A request that brought down workers of the gateway."""

    status = 422
    code = "request_quarantined"


class KeyReused(ClientError):
    """The idempotency key was another request's."""

    status = 422
    code = "idempotency_key_reused"


class HeadersTooLarge(ClientError):
    """Too many header bytes."""

    status = 431
    code = "headers_too_large"


class ClientGone(ClientError):
    """The client hung up."""

    status = 499
    code = "client_closed_request"


class NotCached(ClientError):
    """Nothing is kept, and the client wants nothing else (RFC 9111, 5.2.1.7)."""

    status = 504
    code = "not_cached"


class GatewayError(RequestError):
    """Our own fault."""


class Internal(GatewayError):
    """A bug. The text never carries a trace."""


class Overloaded(GatewayError):
    """No slot is free."""

    status = 503
    type = "overloaded_error"
    code = "overloaded"
    retryable = True


class ShuttingDown(GatewayError):
    """The process is draining."""

    status = 503
    type = "overloaded_error"
    code = "shutting_down"
    retryable = True


class UpstreamError(RequestError):
    """The provider's fault, or the network's on the way there."""

    status = 502
    fault: ClassVar[Fault] = "upstream"
    type = "upstream_error"
    code = "upstream_error"
    retryable = True


class UpstreamUnreachable(UpstreamError):
    """No connection, or one that was reset before it answered."""

    code = "upstream_unreachable"


class UpstreamTls(UpstreamError):
    """The certificate or the handshake is bad; nothing was sent."""

    code = "upstream_tls"


class UpstreamProtocol(UpstreamError):
    """What came back is no proper answer."""

    code = "upstream_protocol"


class UpstreamAuth(UpstreamError):
    """The provider refuses our credential. Never a 401: the client would drop its own key."""

    code = "upstream_auth"


class UpstreamStatus(UpstreamError):
    """A 5xx or the like."""

    code = "upstream_status"


class UpstreamCut(UpstreamError):
    """A stream ended before its end."""

    code = "upstream_cut"


class UpstreamTimeout(UpstreamError):
    """No first byte, or silence between bytes."""

    status = 504
    type = "timeout_error"
    code = "upstream_timeout"


class DeadlineExceeded(UpstreamError):
    """The request's own deadline has passed."""

    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"
    retryable = False


class UpstreamLimited(UpstreamError):
    """The provider limits us."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class Repeated(UpstreamError):
    """What the same request came to when it was sent before. It may have been carried out, so nobody is asked again."""

    retryable = False

    def __init__(self, report: Report) -> None:
        super().__init__(report.message, code=report.code)
        self.report = report

    @property
    def http_status(self) -> int:
        """The status that it had."""
        return self.report.status


class NoDeployment(UpstreamError):
    """No deployment can be tried now."""

    status = 503
    type = "overloaded_error"
    code = "no_deployment_available"


class UpstreamRejected(UpstreamError):
    """The provider says the request itself is wrong: its status and body are passed on as they are."""

    fault = "client"
    status = 400
    type = "invalid_request_error"
    code = "upstream_rejected"
    retryable = False

    def __init__(self, message: str, *, status: int, body: bytes, content_type: str) -> None:
        super().__init__(message)
        self.upstream_status = status
        self.body = body
        self.content_type = content_type
        self.dialect = ""  # of the body: a client of another reads the report
        self.report: Report | None = None

    @property
    def http_status(self) -> int:
        """The provider's own status."""
        return self.upstream_status
