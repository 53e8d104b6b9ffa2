"""What a file leaves out, filled in: after this, a provider has a kind, a base URL, named credentials and a domain.

With no provider configured, each kind whose environment variable is set becomes one by itself, under the kind's name.
The result is a plain :class:`Config`, a function of the file and the environment alone, so what ``dragoman check``
prints is what the server uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from dragoman.config.aws import Aws
from dragoman.config.environ import Substitution, SubstitutionError
from dragoman.config.schema import Config, Credential, Deployment, Entra, Google, Ibm, Provider
from dragoman.config.tree import Problems

REHEARSAL = "rehearsal"
OTHER = "openai-compatible"
"""The kind of a provider that has a base URL and a name of its own."""
IDENTITIES = {
    "aws": Credential(aws=Aws()),
    "google": Credential(google=Google()),
    "entra": Credential(entra=Entra()),
}
"""What the machine is by itself."""


class Kind(Protocol):
    """What the catalogue says of a kind of provider."""

    @property
    def id(self) -> str:
        """The kind's name."""

    @property
    def base_url(self) -> str:
        """Where it listens, perhaps with ``${VAR}``; empty when every user has another."""

    @property
    def env(self) -> tuple[str, ...]:
        """Environment variables its key is usually in; the first that is set counts."""

    @property
    def automatic(self) -> bool:
        """Whether such a variable alone makes a provider."""

    @property
    def key_optional(self) -> bool:
        """Whether it answers without a key."""

    @property
    def identity(self) -> str:
        """The field of a credential that stands for what it takes instead of a key; empty where a key is all."""

    @property
    def allow_private(self) -> bool:
        """Whether it usually runs on a private address."""

    @property
    def domain(self) -> str:
        """What fails together with it."""


def resolve(config: Config, kinds: Mapping[str, Kind], environ: Mapping[str, str], problems: Problems) -> Config:
    """The configuration with nothing left to look up; what cannot be filled in goes to ``problems``."""
    filling = _Filling(kinds, environ, problems)
    if config.providers:
        providers = {name: filling.provider(name, provider) for name, provider in config.providers.items()}
    else:
        providers = {
            kind.id: filling.provider(kind.id, Provider()) for kind in kinds.values() if _is_switched_on(kind, environ)
        }
    enabled = config.rehearsal.enabled
    rehearsal = replace(config.rehearsal, enabled=not providers if enabled is None else enabled)
    return replace(config, providers=providers, rehearsal=rehearsal)


def deployment_for(name: str, config: Config) -> Deployment | None:
    """The deployment that a name stands for: a declared one, or ``provider/model``."""
    declared = config.deployments.get(name)
    if declared is not None:
        return declared
    provider, slash, model = name.partition("/")
    known = provider in config.providers or (provider == REHEARSAL and config.rehearsal.enabled)
    return Deployment(provider=provider, model=model) if slash and model and known else None


def _is_switched_on(kind: Kind, environ: Mapping[str, str]) -> bool:
    """Whether the environment alone makes a provider of this kind: its key and its part of the URL are there."""
    if not kind.automatic or not any(environ.get(name) for name in kind.env):
        return False
    try:
        return bool(Substitution(environ, Path())(kind.base_url))
    except SubstitutionError:
        return False


class _Filling:
    """Fills in one provider after the other."""

    def __init__(self, kinds: Mapping[str, Kind], environ: Mapping[str, str], problems: Problems) -> None:
        self._kinds = kinds
        self._environ = environ
        self._problems = problems

    def provider(self, name: str, provider: Provider) -> Provider:
        kind = self._kind(name, provider)
        if kind is None:
            return provider
        return replace(
            provider,
            kind=kind.id,
            base_url=provider.base_url.rstrip("/") or self._base_url(name, kind),
            api_key="",
            credentials=self._credentials(name, provider, kind),
            allow_private=provider.allow_private or kind.allow_private,
            domain=provider.domain or (name if provider.base_url else kind.domain or kind.id),
        )

    def _kind(self, name: str, provider: Provider) -> Kind | None:
        if not provider.kind and name not in self._kinds and provider.base_url:
            return self._kinds[OTHER]
        kind = self._kinds.get(provider.kind or name)
        if kind is None and provider.kind:
            shown = self._problems.spell(("providers", name, "kind"), provider.kind)
            hint = self._problems.hint(provider.kind, self._kinds)
            self._problems.add(("providers", name, "kind"), f"no kind of provider is called {shown}{hint}")
        elif kind is None:
            hint = self._problems.hint(name, self._kinds)
            message = f"needs a base_url, or a kind: no kind of provider is called so{hint}"
            self._problems.add(("providers", name), message)
        return kind

    def _base_url(self, name: str, kind: Kind) -> str:
        """The catalogue's URL with the user's own part put in."""
        path = ("providers", name, "base_url")
        if not kind.base_url:
            self._problems.add(path, f"is missing: every user of {kind.id} has another")
            return ""
        try:
            return Substitution(self._environ, Path())(kind.base_url)
        except SubstitutionError:
            self._problems.add(path, f"is missing: set it after the pattern {kind.base_url}")
            return ""

    def _credentials(self, name: str, provider: Provider, kind: Kind) -> tuple[Credential, ...]:
        path = ("providers", name)
        given = provider.credentials
        if provider.api_key and given:
            self._problems.add((*path, "api_key"), "give api_key or credentials, not both")
        if provider.api_key:
            given = (Credential(key=provider.api_key),)
        elif not given and not provider.base_url:  # a key of the kind goes to the kind's own address, nowhere else
            variable = next((name for name in kind.env if self._environ.get(name)), "")
            given = (Credential(key=self._environ[variable]),) if variable else ()
        if not given and kind.identity in IDENTITIES and not provider.base_url:
            given = (IDENTITIES[kind.identity],)
        if kind.identity == "ibm":  # whose keys are good for a token alone
            given = tuple(replace(one, key="", ibm=Ibm(api_key=one.key)) if one.key else one for one in given)
        if not given and not kind.key_optional and not provider.base_url:
            variables = f", here or as {' or '.join(kind.env)} in the environment" if kind.env else ""
            self._problems.add((*path, "api_key"), f"is missing: {kind.id} wants a key{variables}")
        if len(given) == 1 and not given[0].name:
            return (replace(given[0], name="default"),)
        return tuple(replace(one, name=one.name or str(place)) for place, one in enumerate(given, 1))
