"""Logging in to the admin API: OpenID Connect's authorization code flow, with PKCE (RFC 7636).

What has to come back unchanged goes with the browser, sealed: the issuer that was asked (so that no other's answer is
taken for its), the verifier and the nonce. A cookie ties it to the browser that began. The end is a session's secret,
for ``Authorization: Bearer``; no cookie opens anything.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Struct

from dragoman.access.credentials import presented_key
from dragoman.access.sessions import SESSION_PREFIX, Person
from dragoman.access.tokens import claim, principal_of_claims
from dragoman.core import Sealer
from dragoman.driver import OnLoop
from dragoman.endpoints.admin.operation import ROOT
from dragoman.endpoints.answers import own_headers
from dragoman.errors import Forbidden, InvalidRequest, NotFound, Overloaded, StoreError, Unauthenticated
from dragoman.routing.elsewhere import place_of, post, target_of

if TYPE_CHECKING:
    from dragoman.access.issuers import Document
    from dragoman.access.principal import Principal
    from dragoman.access.tokens import Verifier
    from dragoman.endpoints.admin.api import AdminApi
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

LOGIN, CALLBACK, SESSION = f"{ROOT}/login", f"{ROOT}/callback", f"{ROOT}/session"
COOKIE = "dragoman_login"
WITHIN_S = 600
TIMEOUT_S = 10.0
NO_STORE = [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")]


class Begun(Struct, frozen=True):
    """A login under way."""

    issuer: str
    verifier: str
    nonce: str
    cookie: str  # a hash
    at_s: int


class Begin:
    """``GET /admin/v1/login?issuer=NAME``: off to the issuer."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sealer = sealer_of(gateway)

    async def serve(self, request: Request) -> None:
        """Send the browser there."""
        gateway = self.gateway
        name = dict(parse_qsl(request.query)).get("issuer", "")
        names = [one for one, verifier in gateway.entrance.tokens.verifiers.items() if verifier.settings.client_id]
        name = name or (names[0] if len(names) == 1 else "")
        if name not in names:
            message = (
                f"issuer: one of {', '.join(names)}." if names else "Nobody logs in here: no issuer has a client_id."
            )
            raise NotFound(message, code="issuer_not_found", param="issuer")
        document = document_of(gateway, name)
        cookie, verifier, nonce = (secrets.token_urlsafe(48) for _ in range(3))
        begun = Begun(name, verifier, nonce, digest(cookie), int(time.time()))
        asked = {
            "response_type": "code",
            "client_id": gateway.entrance.tokens.verifiers[name].settings.client_id,
            "redirect_uri": redirect_uri(gateway),
            "scope": "openid email profile",
            "state": _text(self.sealer.seal(msgspec.json.encode(begun), COOKIE.encode())),
            "nonce": nonce,
            "code_challenge": digest(verifier),
            "code_challenge_method": "S256",
        }
        url = document.authorization_endpoint
        headers = own_headers(request, gateway.snapshot.number) + NO_STORE
        secure = "; Secure" if redirect_uri(gateway).startswith("https://") else ""
        about = f"Path={CALLBACK}; Max-Age={WITHIN_S}; HttpOnly; SameSite=Lax{secure}"
        headers += [("location", f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}")]
        headers += [("set-cookie", f"{COOKIE}={cookie}; {about}")]
        request.stage = "answered"
        request.proto.response_bytes(302, headers, b"")


class Finish:
    """``GET /admin/v1/callback``: back from the issuer, with a code for a token."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sealer = sealer_of(gateway)

    async def serve(self, request: Request) -> None:
        """Begin a session, and answer with its secret."""
        gateway = self.gateway
        told = dict(parse_qsl(request.query))
        begun = self._begun(told.get("state", ""), request.headers.get("cookie", ""))
        document = document_of(gateway, begun.issuer)
        verifier = gateway.entrance.tokens.verifiers[begun.issuer]
        if told.get("iss", verifier.settings.issuer) != verifier.settings.issuer or (
            document.authorization_response_iss_parameter_supported and "iss" not in told
        ):
            raise Unauthenticated("The answer is another issuer's.", code="login_failed")
        if "error" in told or not told.get("code"):
            why = told.get("error", "no code")[:64]
            raise Unauthenticated(f"The issuer has not let you in: {why!r}.", code="login_failed")
        token = await self._token(verifier, document, begun, told["code"])
        claims = verifier.claims(token, time.monotonic(), audience=(verifier.settings.client_id,))
        if not hmac.compare_digest(str(claims.get("nonce", "")), begun.nonce):
            raise Unauthenticated("The token is not of this login.", code="login_failed")
        principal = principal_of_claims(begun.issuer, verifier.settings, claims, gateway.keys.entities)
        if not principal.permissions:
            raise Forbidden("You have no role here.", code="permission_denied")
        person = person_of(principal, claims, verifier)
        begins: list[tuple[str, int]] = []
        await OnLoop(self._begin(begins, person, request))
        (secret, ends_ms) = begins[0]
        ends = datetime.fromtimestamp(ends_ms / 1000, UTC).isoformat(timespec="seconds")
        body = {"object": "session", "secret": secret, "expires": ends, "user": person.user, "role": principal.role}
        headers = own_headers(request, gateway.snapshot.number) + NO_STORE
        headers.append(("set-cookie", f"{COOKIE}=; Path={CALLBACK}; Max-Age=0; HttpOnly; SameSite=Lax"))
        request.stage = "answered"
        request.proto.response_bytes(200, headers, msgspec.json.encode(body))

    def _begun(self, state: str, cookies: str) -> Begun:
        raw = self.sealer.open(_bytes(state), COOKIE.encode())
        begun = None if raw is None else msgspec.json.decode(raw, type=Begun)
        pairs = dict(one.strip().partition("=")[::2] for one in cookies.split(";"))
        if (
            begun is None
            or begun.issuer not in self.gateway.entrance.tokens.verifiers
            or not hmac.compare_digest(digest(pairs.get(COOKIE, "")), begun.cookie)
        ):
            raise Unauthenticated("This login was not begun here, in this browser.", code="login_failed")
        if time.time() - begun.at_s > WITHIN_S:
            raise Unauthenticated("The login took too long; begin again.", code="login_failed")
        return begun

    async def _token(self, verifier: Verifier, document: Document, begun: Begun, code: str) -> str:
        settings = verifier.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri(self.gateway),
            "client_id": settings.client_id,
            "code_verifier": begun.verifier,
        }
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
        if settings.client_secret:
            both = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}".encode()
            headers.append(("authorization", f"Basic {base64.b64encode(both).decode()}"))
        place = place_of(document.token_endpoint)
        target = target_of(self.gateway.upstream, place.base_url, [], private=settings.allow_private)
        outcome: Any = await post(target, place.path, urlencode(form).encode(), headers, TIMEOUT_S)
        try:
            if outcome.failure or outcome.status != 200:
                raise ValueError
            return str(msgspec.json.decode(bytes(outcome.body), type=dict[str, Any])["id_token"])
        except (ValueError, KeyError, msgspec.DecodeError):
            raise Unauthenticated("The issuer has given no token for the code.", code="login_failed") from None

    async def _begin(self, begins: list[tuple[str, int]], person: Person, request: Request) -> None:
        gateway = self.gateway
        gateway.auditor.trail.act(
            "session.begin",
            actor=person.user,
            key_id=person.key_id,
            address=request.client,
            organisation=person.organisation,
            role=person.role,
        )
        try:
            begins.append(await asyncio.to_thread(_begin, gateway, person, request.client))
        except StoreError:
            raise Overloaded("The session cannot be stored.", code="store_unavailable", retry_after_s=1) from None


class Session:
    """``GET /admin/v1/session``: who one is; ``DELETE``: logging out."""

    always = False

    def __init__(self, gateway: Gateway, api: AdminApi) -> None:
        self.gateway = gateway
        self.api = api

    async def serve(self, request: Request) -> None:
        """Say it, or end it."""
        principal = self.api.come(request)
        secret = presented_key(request.headers)
        if request.method == "DELETE":
            if not secret.startswith(SESSION_PREFIX):
                raise InvalidRequest("Only a session ends here; a key is revoked.", code="not_a_session")
            await OnLoop(self._end(principal, secret))
        told = {"object": "session", "ended": request.method == "DELETE", "key": principal.key_id}
        told |= {"user": principal.user, "organisation": principal.organisation, "team": principal.team}
        told |= {"role": principal.role, "permissions": sorted(principal.permissions), "admin": principal.admin}
        request.stage = "answered"
        headers = own_headers(request, self.gateway.snapshot.number) + NO_STORE
        request.proto.response_bytes(200, headers, msgspec.json.encode(told))

    async def _end(self, principal: Principal, secret: str) -> None:
        self.gateway.auditor.trail.act("session.end", actor=principal.user, key_id=principal.key_id)
        try:
            await asyncio.to_thread(self.gateway.entrance.sessions.end, secret)
        except StoreError:
            raise Overloaded("The session cannot be ended now.", code="store_unavailable", retry_after_s=1) from None


def person_of(principal: Principal, claims: dict[str, Any], verifier: Verifier) -> Person:
    """Whose session begins."""
    groups = claim(claims, verifier.settings.claims.groups)
    among = {str(group) for group in groups} if isinstance(groups, list) else {str(groups)}
    return Person(
        key_id=principal.key_id,
        name=principal.name,
        organisation=principal.organisation,
        team=principal.team,
        user=principal.user,
        role=principal.role,
        is_mapped=not among.isdisjoint(verifier.settings.roles),
    )


def document_of(gateway: Gateway, name: str) -> Document:
    """What an issuer says of itself.

    Raises:
        Overloaded: nothing, as yet.
    """
    document = gateway.entrance.issuers.documents.get(name)
    if document is None or not document.authorization_endpoint or not document.token_endpoint:
        message = f"The issuer {name} cannot be asked now; try again."
        raise Overloaded(message, code="issuer_unavailable", retry_after_s=5)
    return document


def redirect_uri(gateway: Gateway) -> str:
    """Where browsers come back to: as it is registered with the issuer."""
    config = gateway.snapshot.config
    base = config.identity.login.url or f"http://127.0.0.1:{config.admin.port or config.server.port + 1}"
    return base.rstrip("/") + CALLBACK


def sealer_of(gateway: Gateway) -> Sealer:
    """What seals a login under way."""
    return Sealer(sha256(b"dragoman login\0" + gateway.pepper).digest())


def digest(text: str) -> str:
    """SHA-256, as PKCE has it."""
    return _text(sha256(text.encode()).digest())


def _begin(gateway: Gateway, person: Person, address: str) -> tuple[str, int]:
    return gateway.entrance.sessions.begin(person, address, now_ms=time.time_ns() // 1_000_000)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
