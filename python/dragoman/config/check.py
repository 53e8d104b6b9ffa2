"""What no single field can say: whether the parts of a configuration fit together.

:func:`check` reports what must not be; :func:`warnings` what is allowed and probably not meant; and
:func:`check_exposure` is asked once the store is open, because a virtual key may be there.

Routes cannot form a cycle: a tier names deployments, never a route.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from dragoman.config import limiting, signing_in
from dragoman.config.caching import BUILT_IN_EMBEDDINGS
from dragoman.config.guards import KINDS, Guardrail, usable
from dragoman.config.pins import read_pin
from dragoman.config.prompting import Prompting, problems_of
from dragoman.config.resolve import REHEARSAL, deployment_for
from dragoman.config.schema import Config, Credential, Entra, Key, Price, Provider, Route
from dragoman.config.tree import Path as FieldPath
from dragoman.config.tree import Problems
from dragoman.errors import ConfigError

MAX_USD_MTOK = 10_000.0
"""A dearer price is in another unit: the dearest published are some hundreds of dollars a million tokens."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})


KeyCheck: TypeAlias = Callable[[Key], list[str]]
"""What is wrong with a declared key; the layer that makes keys knows."""


def check(config: Config, problems: Problems, check_key: KeyCheck | None) -> None:
    """Report everything that does not fit together."""
    if not config.server.host:
        problems.add(("server", "host"), "is empty; 0.0.0.0 is every address")
    for name, provider in config.providers.items():
        _check_provider(name, provider, problems)
    _check_deployments(config, problems)
    for alias, route in config.routes.items():
        _check_name(("routes", alias), alias, problems)
        _check_route(alias, route, config, problems)
    for name, guardrail in config.guardrails.items():
        _check_name(("guardrails", name), name, problems)
        _check_guardrail(("guardrails", name), guardrail, problems)
    _check_prompting(config.prompts, problems)
    _check_limits(config, problems)
    if config.audit.syslog and not re.fullmatch(r"udp://[^/:@]+(:\d{1,5})?", config.audit.syslog):
        problems.add(("audit", "syslog"), "is not udp://host:port")
    _check_issuers(config, problems)
    _check_sharing(config, problems)
    _check_embedding(config, problems)
    _check_keys(config.keys, problems, check_key)


def check_exposure(config: Config, stored_keys: int = 0) -> None:
    """Refuse to listen where others can reach us while anybody may use every credential."""
    if is_loopback(config.server.host) or config.keys or stored_keys or config.identity.issuers:
        return
    message = (
        f"server.host: {config.server.host} can be reached by others and there is no virtual key, so anybody could "
        "spend with your credentials: make a key with `dragoman keys create`, or listen on 127.0.0.1"
    )
    raise ConfigError([message])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def warnings(config: Config) -> list[str]:
    """What is allowed and probably not meant."""
    found = []
    for name, provider in config.providers.items():
        url = urlsplit(provider.base_url)
        if url.scheme == "http" and not is_loopback(url.hostname or "") and provider.credentials:
            found.append(f"providers.{name}: keys and prompts are sent unencrypted (http)")
        if any(one.entra == Entra() for one in provider.credentials):
            found.append(f"providers.{name}: has no api_key, so AZURE_... or the machine's managed identity is used")
        if not provider.credentials and not provider.allow_private:
            found.append(f"providers.{name}: has no credential")
    used = set(chain.from_iterable(chain.from_iterable(route.tiers for route in config.routes.values())))
    if config.routes:
        found += [f"deployments.{name}: no route uses it" for name in config.deployments if name not in used]
    for name, deployment in config.deployments.items():
        if deployment.price and 0 < deployment.price.output_usd_mtok < 0.0005:
            found.append(f"deployments.{name}.price: so cheap that it may be a price a token; the unit is a million")
    if not is_loopback(config.server.host) and not config.keys:
        found.append("server.host: refuses to start unless a virtual key is stored (`dragoman keys create`)")
    return found


def is_name(text: str) -> bool:
    """Whether it may stand in headers, metrics and URLs."""
    return _NAME.fullmatch(text) is not None


def _check_name(path: FieldPath, name: str, problems: Problems) -> None:
    if not is_name(name):
        problems.add(path, "a name is 1 to 128 letters, digits and . _ : / @ + -, and begins with a letter or digit")


def _check_issuers(config: Config, problems: Problems) -> None:
    known: dict[str, str] = {}
    for name, issuer in config.identity.issuers.items():
        if known.setdefault(issuer.issuer, name) != name:
            problems.add(("identity", "issuers", name, "issuer"), f"is also that of {known[issuer.issuer]}")
        _check_name(("identity", "issuers", name), name, problems)
        for field, what in signing_in.problems_of(issuer):
            problems.add(("identity", "issuers", name, field), what)


def _check_provider(name: str, provider: Provider, problems: Problems) -> None:
    path = ("providers", name)
    _check_name(path, name, problems)
    if "/" in name:
        problems.add(path, 'a provider\'s name has no "/": it ends where the model begins in provider/model')
    if name == REHEARSAL:
        problems.add(path, "this name is the built-in rehearsal provider's; choose another")
    if provider.base_url:
        check_url((*path, "base_url"), provider.base_url, problems)
    if provider.proxy not in ("", "none"):
        _check_proxy((*path, "proxy"), provider.proxy, problems)
    if provider.ca_file and not Path(provider.ca_file).is_file():
        problems.add((*path, "ca_file"), "is not a file")
    _check_pins(path, provider, problems)
    for header, value in provider.headers.items():
        if not _HEADER.fullmatch(header) or header.lower() in _OUR_HEADERS:
            problems.add((*path, "headers", header), "is not a header that can be set here")
        if not value.isprintable() or not value.isascii():
            problems.add((*path, "headers", header), "a header's value is printable ASCII")
    for place, credential in enumerate(provider.credentials):
        _check_credential((*path, "credentials", place), credential, problems)
    _check_unique(path, "credentials", (one.name for one in provider.credentials), problems)


def _check_pins(path: FieldPath, provider: Provider, problems: Problems) -> None:
    for place, pin in enumerate(provider.pins):
        try:
            read_pin(pin)
        except ValueError as error:
            problems.add((*path, "pins", place), str(error))
    if provider.pins and _is_plain(provider.base_url):
        problems.add((*path, "pins"), f"are of keys, and {provider.base_url} has none: it is not https")


def _is_plain(text: str) -> bool:
    """Whether a URL is one without TLS."""
    url = _split(text)
    return url is not None and url.scheme == "http"


def _check_credential(path: FieldPath, credential: Credential, problems: Problems) -> None:
    identities = credential.identities
    if not identities and not (credential.key and credential.key.isascii() and credential.key.isprintable()):
        problems.add((*path, "key"), "a key is printable ASCII and not empty")
    if len(identities) + bool(credential.key) > 1:
        problems.add(path, "give one of key, aws, google, entra and ibm")
    if credential.aws is not None and bool(credential.aws.access_key_id) != bool(credential.aws.secret_access_key):
        problems.add((*path, "aws"), "access_key_id and secret_access_key go together")
    if credential.google is not None and credential.google.file and not Path(credential.google.file).is_file():
        problems.add((*path, "google", "file"), "is not a file")
    if credential.entra is not None and credential.entra.authority:
        check_url((*path, "entra", "authority"), credential.entra.authority, problems)
    if credential.ibm is not None and not credential.ibm.api_key:
        problems.add((*path, "ibm", "api_key"), "is missing")
    if credential.ibm is not None and credential.ibm.authority:
        check_url((*path, "ibm", "authority"), credential.ibm.authority, problems)


def _check_unique(path: FieldPath, list_name: str, names: Iterable[str], problems: Problems) -> None:
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name and name in seen:
            where = (*path, list_name, place, "name")
            problems.add(where, f"{problems.spell(where, name)} is also the name of {list_name}[{seen[name]}]")
        seen.setdefault(name, place)


def check_url(path: FieldPath, text: str, problems: Problems) -> None:
    """A base URL is ``http(s)://host[:port][/path]``; it goes into logs, so it holds no password."""
    url = _split(text)
    if url is None or url.scheme not in ("http", "https") or not url.hostname:
        problems.add(path, "is not a URL that begins with http:// or https://")
    elif url.username is not None or url.password is not None:
        problems.add(path, "holds a user or password; give credentials instead")
    elif "//" in url.path:
        problems.add(path, 'has "//" in its path')
    elif url.query or url.fragment or text.endswith(("?", "#")):
        problems.add(path, "ends in ? or #, but paths are appended to it")


def _check_proxy(path: FieldPath, text: str, problems: Problems) -> None:
    url = _split(text)
    if url is None or url.scheme not in ("http", "https") or not url.hostname:
        problems.add(path, 'is not "none" or a URL that begins with http:// or https://')


def _split(text: str) -> SplitResult | None:
    """The parts, or None where there are characters or a port that no URL has."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        url = urlsplit(text)
        return url if url.port != 0 else None
    except ValueError:
        return None


def _check_deployments(config: Config, problems: Problems) -> None:
    for name, deployment in config.deployments.items():
        path = ("deployments", name)
        _check_name(path, name, problems)
        provider = config.providers.get(deployment.provider)
        rehearsed = deployment.provider == REHEARSAL and config.rehearsal.enabled is not False
        if provider is None and not rehearsed:
            shown = problems.spell((*path, "provider"), deployment.provider)
            hint = problems.hint(deployment.provider, config.providers)
            problems.add((*path, "provider"), f"there is no provider {shown}{hint}")
        if not deployment.model:
            problems.add((*path, "model"), "is empty")
        if provider is not None:
            names = [one.name for one in provider.credentials]
            for place, credential in enumerate(deployment.credentials):
                if credential not in names:
                    where = (*path, "credentials", place)
                    hint = problems.hint(credential, names)
                    problems.add(where, f"{deployment.provider} has no credential of this name{hint}")
        if deployment.base_url:
            check_url((*path, "base_url"), deployment.base_url, problems)
            if provider is not None and provider.pins and _is_plain(deployment.base_url):
                problems.add((*path, "base_url"), f"is not https, and {deployment.provider} has pins of keys")
        if deployment.price:
            _check_price((*path, "price"), deployment.price, problems)


def _check_price(path: FieldPath, price: Price, problems: Problems) -> None:
    for field in price.__struct_fields__:
        value = getattr(price, field)
        if value is not None and value > MAX_USD_MTOK:
            problems.add((*path, field), f"is over {MAX_USD_MTOK:,.0f} dollars a million tokens")


def _check_route(alias: str, route: Route, config: Config, problems: Problems) -> None:
    path = ("routes", alias, "tiers")
    if not route.tiers:
        problems.add(path, "needs at least one tier")
    for place, tier in enumerate(route.tiers):
        if not tier:
            problems.add((*path, place), "needs at least one deployment")
        for index, name in enumerate(tier):
            where = (*path, place, index)
            if name in tier[:index]:
                problems.add(where, f"{problems.spell(where, name)} is in this tier twice")
            elif deployment_for(name, config) is None:
                problems.add(where, _no_deployment(where, name, config, problems))


def _no_deployment(where: FieldPath, name: str, config: Config, problems: Problems) -> str:
    shown = problems.spell(where, name)
    if name in config.routes:
        return f"{shown} is a route; a tier names deployments"
    provider, slash, _ = name.partition("/")
    if slash and provider not in config.providers:
        hint = problems.hint(provider, config.providers) or problems.hint(name, config.deployments)
        return f"there is no deployment {shown} and no provider of that name{hint}"
    return f"there is no deployment {shown}{problems.hint(name, config.deployments)}"


def _check_guardrail(path: FieldPath, guardrail: Guardrail, problems: Problems) -> None:
    kinds = guardrail.kinds
    if len(kinds) != 1:
        given = f"give one of {', '.join(kinds)}" if kinds else f"says not what it does: give one of {', '.join(KINDS)}"
        problems.add(path, given)
    if guardrail.on_stream == "windows" and guardrail.needs_whole:
        problems.add((*path, "on_stream"), f"{', '.join(kinds)} tells nothing of a part of an answer: hold, or skip")
    elif guardrail.on_stream and guardrail.on and not {"output", "tool_arguments"} & set(guardrail.on):
        problems.add((*path, "on_stream"), "it looks at no answers: on names neither output nor tool_arguments")
    for kind, part in kinds.items():
        for field in ("url", "base_url"):
            if getattr(part, field, ""):
                check_url((*path, kind, field), getattr(part, field).partition("?")[0], problems)
        try:
            usable(part)
        except ValueError as fault:
            problems.add((*path, kind), str(fault))


def _check_prompting(prompts: Prompting, problems: Problems) -> None:
    for name, prompt in prompts.templates.items():
        path = ("prompts", "templates", name)
        _check_name(path, name, problems)
        if not prompt.versions:
            problems.add((*path, "versions"), "needs at least one version")
        elif prompt.default and prompt.default not in prompt.versions:
            problems.add((*path, "default"), f"there is no version {prompt.default!r}")
        for number, version in prompt.versions.items():
            for fault in problems_of(version):
                problems.add((*path, "versions", number), fault)
    for name, decorator in prompts.decorators.items():
        if not (decorator.prepend or decorator.append or decorator.replace):
            problems.add(("prompts", "decorators", name), "says nothing: give prepend, append or replace")


def _check_limits(config: Config, problems: Problems) -> None:
    for name, limit in config.limits.items():
        _check_name(("limits", name), name, problems)
        for fault in limiting.problems_of(limit):
            problems.add(("limits", name), fault)
    alerts = config.ledger.alerts
    if alerts is not None:
        check_url(("ledger", "alerts", "url"), alerts.url.partition("?")[0], problems)
    if config.rehearsal.price is not None:
        _check_price(("rehearsal", "price"), config.rehearsal.price, problems)


def _check_sharing(config: Config, problems: Problems) -> None:
    if config.redis is not None:
        if not re.match(r"(rediss?|valkeys?|unix|redis\+unix|valkey\+unix)://", config.redis.url):
            problems.add(("redis", "url"), "is not redis://host:port, rediss://host:port or unix:///path")
        if not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", config.redis.prefix):
            problems.add(("redis", "prefix"), "is 1 to 64 letters, digits and . _ : -")
    if config.cache.shared and config.redis is None:
        problems.add(("cache", "shared"), "answers are shared in Redis: set redis.url: redis://...")
    if config.server.workers > 1:
        missing = [] if config.store.url.startswith("postgresql") else ["store.url: postgresql+psycopg://..."]
        missing += [] if config.redis is not None else ["redis.url: redis://..."]
        if missing:
            problems.add(("server", "workers"), f"several processes share what they count: set {' and '.join(missing)}")


def _check_embedding(config: Config, problems: Problems) -> None:
    name = config.cache.embedding
    if name not in (*BUILT_IN_EMBEDDINGS, *config.routes) and deployment_for(name, config) is None:
        hint = problems.hint(name, (*BUILT_IN_EMBEDDINGS, *config.routes, *config.deployments))
        built_in = " or ".join(BUILT_IN_EMBEDDINGS)
        problems.add(("cache", "embedding"), f"is neither {built_in} nor the name of a route or a deployment{hint}")


def _check_keys(keys: tuple[Key, ...], problems: Problems, check_key: KeyCheck | None) -> None:
    _check_unique((), "keys", (key.name for key in keys), problems)
    seen: dict[str, int] = {}
    for place, key in enumerate(keys):
        for problem in check_key(key) if check_key is not None else ():
            problems.add(("keys", place), problem)
        secret = key.secret or key.hash
        if secret and secret in seen:
            problems.add(("keys", place), f"is the same key as keys[{seen[secret]}]")
        seen.setdefault(secret, place)
