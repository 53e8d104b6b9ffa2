"""Issuers of tokens as types: whom people log in with, and whose JWTs are taken for keys."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from dragoman.config.part import Part

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Seconds = Annotated[int, Meta(ge=0, le=300)]


class Claims(Part, frozen=True, kw_only=True):
    """Where a token says what; a dot leads into an object, as in realm_access.roles."""

    user: Annotated[str, "the person's name here"] = "email"
    organisation: Annotated[str, "empty: the issuer's"] = ""
    team: Annotated[str, "empty: as teams has it"] = ""
    groups: Annotated[str, "what roles and teams are about"] = "groups"


class Issuer(Part, frozen=True, kw_only=True):
    """One issuer (OpenID Connect Discovery 1.0)."""

    issuer: Annotated[str, "its URL, as its tokens name it in iss"]
    audience: Annotated[tuple[str, ...], "what tokens must be for (aud), one of these"]
    jwks_url: Annotated[str, "empty: as its discovery document says"] = ""
    client_id: Annotated[str, "of people's logins; empty: nobody logs in with it"] = ""
    client_secret: Annotated[str, "empty: a public client, which PKCE alone protects"] = ""
    organisation: Annotated[str, "of everybody that it knows"] = ""
    claims: Annotated[Claims, "where a token says what"] = Claims()
    roles: Annotated[dict[str, str], "the role of each group; the first that somebody is in counts"] = {}
    teams: Annotated[dict[str, str], "the team of each group; the first that somebody is in counts"] = {}
    role: Annotated[str, "of whoever is in no such group and is no user here; empty: none"] = ""
    allow: Annotated[tuple[str, ...], "aliases that tokens may use; * and ? are wild"] = ("*",)
    surfaces: Annotated[tuple[str, ...], "what tokens may ask for, such as chat; empty: everything"] = ()
    algorithms: Annotated[tuple[Algorithm, ...], "of signatures"] = ("RS256", "ES256", "PS256", "EdDSA")
    leeway_s: Annotated[Seconds, "by which clocks may differ"] = 30
    allow_private: Annotated[bool, "may be at a loopback, private or link-local address, and without TLS"] = False


class Login(Part, frozen=True, kw_only=True):
    """How people log in to the admin API."""

    url: Annotated[str, "the admin API as browsers reach it; empty: http://127.0.0.1:<its port>"] = ""
    hours: Annotated[float, Meta(gt=0, le=168), "a session ends then"] = 8.0
    idle_hours: Annotated[float, Meta(gt=0, le=168), "and after so long without a request"] = 2.0


class Identity(Part, frozen=True, kw_only=True):
    """Who says who people are."""

    issuers: Annotated[dict[str, Issuer], "by name"] = {}
    login: Annotated[Login, "how people log in to the admin API"] = Login()


def problems_of(issuer: Issuer) -> list[tuple[str, str]]:
    """What is wrong with an issuer: fields, and what of each."""
    problems = [
        (field, "is no https:// URL (http:// needs allow_private)")
        for field in ("issuer", "jwks_url")
        if getattr(issuer, field) and not _is_url(getattr(issuer, field), plain=issuer.allow_private)
    ]
    if not issuer.audience or not all(issuer.audience):
        problems.append(("audience", "names nobody: a token for somebody else would be taken"))
    if issuer.client_secret and not issuer.client_id:
        problems.append(("client_id", "is missing beside client_secret"))
    return problems


def _is_url(text: str, *, plain: bool) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    wanted = ("https", "http") if plain else ("https",)
    return parts.scheme in wanted and bool(parts.hostname) and parts.username is None and not parts.fragment
