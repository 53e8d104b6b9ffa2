"""JWTs (RFC 7519) of the issuers that are configured, and the principals they stand for.

A signature is looked at with the issuer's own keys alone (JWKS, RFC 7517), by algorithms that need a private key to
sign: what a token's head says of keys elsewhere (``jku``, ``x5u``, ``jwk``) is not followed, ``none`` and HMAC are not
known here. A token that was good is remembered by the hash of all of it, until it ends.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.access.principal import LOGIN_ID_PREFIX, Principal
from dragoman.access.rights import Entities, role_of, within
from dragoman.access.roles import permissions_of
from dragoman.errors import Unauthenticated

if TYPE_CHECKING:
    from dragoman.config.signing_in import Issuer

MOST_TOKEN_CHARS = 16 * 1024
MOST_REMEMBERED = 4096
MOST_NAME_CHARS = 128
JWKS_TRUSTED_S = 86_400.0
"""Keys that could not be read again for so long are trusted no more."""


class Head(Struct, frozen=True):
    """A token's head, as far as it says which issuer's key it is signed with."""

    kid: str = ""
    alg: str = ""


class Body(Struct, frozen=True):
    """A token's body, as far as it says whose it is."""

    iss: str = ""


class Keys(Struct, frozen=True):
    """An issuer's keys as they were read."""

    key_set: Any  # joserfc's
    ids: frozenset[str]
    read_s: float  # monotonic


class Verifier:
    """Looks at tokens of one issuer."""

    def __init__(self, name: str, settings: Issuer, wall_s: Callable[[], float] = time.time) -> None:
        self.name = name
        self.settings = settings
        self.keys: Keys | None = None
        self.wants_keys = False  # a token named one that is not known
        self._wall_s = wall_s

    def read_keys(self, raw: bytes, now_s: float) -> None:
        """Take an issuer's keys.

        :param now_s: monotonic.

        Raises:
            ValueError: they are none.
        """
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        try:
            told = msgspec.json.decode(raw, type=dict[str, Any])
            usable = [key for key in told["keys"] if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
            key_set = KeySet.import_key_set({"keys": usable})
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError, JoseError) as error:
            raise ValueError(f"its keys cannot be read: {type(error).__name__}") from None
        self.keys = Keys(key_set, frozenset(str(key.get("kid", "")) for key in usable), now_s)
        self.wants_keys = False

    def claims(self, token: str, now_s: float, *, audience: tuple[str, ...] | None = None) -> dict[str, Any]:
        """What a token says, once its signature, its issuer, its audience and its times are right.

        :param audience: ``None``: the issuer's.

        Raises:
            Unauthenticated: something of it is not right, or the issuer's keys are not known.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        keys = self.keys
        if keys is None or now_s - keys.read_s > JWKS_TRUSTED_S:
            self.wants_keys = True
            raise Unauthenticated(f"The keys of {self.name} cannot be had now; try again.", code="issuer_unavailable")
        head = _decoded(token.partition(".")[0], Head)
        if head.kid not in keys.ids and (head.kid or len(keys.ids) != 1):
            self.wants_keys = True
            raise _refused("it is signed with a key that its issuer does not name")
        try:
            found = jwt.decode(token, keys.key_set, algorithms=list(self.settings.algorithms))
            self._check(found.claims, audience or self.settings.audience)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(getattr(error, "description", "") or type(error).__name__) from None
        return dict(found.claims)

    def _check(self, claims: dict[str, Any], audience: tuple[str, ...]) -> None:
        from joserfc.jwt import JWTClaimsRegistry

        registry = JWTClaimsRegistry(
            now=int(self._wall_s()),
            leeway=self.settings.leeway_s,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "values": list(audience)},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(claims)


class Tokens:
    """Looks at tokens of every issuer."""

    def __init__(
        self, wall_s: Callable[[], float] = time.time, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.verifiers: dict[str, Verifier] = {}
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._known_among: Entities | None = None

    def replace(self, issuers: dict[str, Issuer]) -> None:
        """These are the issuers from now on; keys of those that stay are known already."""
        kept = {name: one for name, one in self.verifiers.items() if issuers.get(name) == one.settings}
        self.verifiers = {name: kept.get(name) or Verifier(name, one, self._wall_s) for name, one in issuers.items()}
        self._known = {}

    def find(self, token: str, entities: Entities) -> Principal | None:
        """The principal of a token; ``None``: it is none of an issuer that is configured.

        Raises:
            Unauthenticated: it is one, and not good.
        """
        if not self.verifiers or token.count(".") != 2 or len(token) > MOST_TOKEN_CHARS:
            return None
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        if entities is not self._known_among:
            self._known_among, self._known = entities, {}
        known = self._known.get(digest)
        if known is not None and known[1] > self._wall_s():
            return known[0]
        verifier = self._of(token)
        if verifier is None:
            return None
        claims = verifier.claims(token, self._monotonic_s())
        principal = principal_of_claims(verifier.name, verifier.settings, claims, entities)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[digest] = principal, float(claims["exp"])
        return principal

    def _of(self, token: str) -> Verifier | None:
        issuer = _decoded(token.split(".")[1], Body).iss
        return next((one for one in self.verifiers.values() if one.settings.issuer == issuer), None)


def principal_of_claims(name: str, settings: Issuer, claims: dict[str, Any], entities: Entities) -> Principal:
    """Whom claims that were found right stand for.

    Raises:
        Unauthenticated: nobody who may come in.
    """
    told, where = settings.claims, claims.get
    if told.user == "email" and where("email_verified") is False:
        raise _refused("its email address is not verified")
    groups = claim(claims, told.groups)
    among = {str(group) for group in groups} if isinstance(groups, list) else {str(groups)} if groups else set()
    organisation = _name(claim(claims, told.organisation)) if told.organisation else settings.organisation
    team = _name(claim(claims, told.team)) if told.team else ""
    team = team or next((team for group, team in settings.teams.items() if group in among), "")
    subject = str(claims["sub"])[:MOST_NAME_CHARS]
    user = _name(claim(claims, told.user)) or _name(subject)
    mapped = next((role for group, role in settings.roles.items() if group in among), "")
    known = entities.find("user", organisation, user)
    role = mapped or (role_of(known, team) if known is not None else settings.role)
    principal = Principal(
        key_id=f"{LOGIN_ID_PREFIX}{name}:{subject}",
        name=user or subject,
        organisation=organisation,
        team=team,
        user=user,
        role=role,
        allow=settings.allow,
        surfaces=settings.surfaces,
        expires_at_ms=int(float(claims["exp"]) * 1000),
    )
    placed = within(principal, entities)
    if placed is None:
        raise _refused("its user is disabled here")
    # A group's role is the operator's word, and stands beside what a user is here.
    permissions = permissions_of(role, organisation, entities.roles)
    return msgspec.structs.replace(placed, permissions=permissions)


def claim(claims: dict[str, Any], path: str) -> Any:
    """A claim by its path; ``None`` where there is none."""
    if path in claims:  # names that are URLs have dots of their own
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _name(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= MOST_NAME_CHARS and text.isprintable() else ""


def _decoded(part: str, into: type[Any]) -> Any:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=into)
    except (ValueError, binascii.Error, RecursionError):
        return into()


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The token is not valid: {why}.")
