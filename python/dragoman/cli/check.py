"""``dragoman check``: a configuration said back in words, without its secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from dragoman.cli.limits import described
from dragoman.cli.settings import config_faults, config_option
from dragoman.config.auditing import Audit
from dragoman.config.check import warnings
from dragoman.config.guards import Guardrail
from dragoman.config.prompting import Parameters, Prompting, Settings
from dragoman.config.resolve import REHEARSAL
from dragoman.config.schema import Config, Deployment, Key, Provider, Route
from dragoman.config.signing_in import Issuer


@click.command(short_help="Say what a configuration means, or what is wrong with it.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of configuration files, for editors.")
def check(file: Path | None, config_path: Path | None, schema: bool) -> None:  # noqa: FBT001 - click passes by name
    """Say what the configuration in FILE means, or list everything that is wrong with it and exit with 78.

    \b
      dragoman check dragoman.yaml
      dragoman check --schema > dragoman.schema.json
    """
    if schema:
        from dragoman.config.document import json_schema

        click.echo(msgspec.json.format(msgspec.json.encode(json_schema())).decode())
        return
    from dragoman.settings import find_config, load_settings

    path = find_config(file or config_path)
    with config_faults():
        config = load_settings(path, os.environ)
    click.echo(f"{path or 'no configuration file'}: good")
    for line in describe(config):
        click.echo(line)
    for text in warnings(config):
        click.echo(f"warning: {text}", err=True)


def describe(config: Config) -> Iterator[str]:
    """The configuration, a line a thing."""
    workers = f" with {config.server.workers} workers" if config.server.workers > 1 else ""
    yield f"listens on {config.server.host}:{config.server.port}{workers}"
    if config.redis is not None:
        yield "counts limits in Redis, together with all servers there"
    yield from _section("providers", (_provider(name, provider) for name, provider in config.providers.items()))
    if config.rehearsal.enabled:
        yield f"  {REHEARSAL}: answers without a network"
    yield from _section("deployments", (_deployment(name, one) for name, one in config.deployments.items()))
    yield from _section("routes", (_route(alias, route) for alias, route in config.routes.items()))
    yield from _section("guardrails", (_guardrail(name, one) for name, one in config.guardrails.items()))
    yield from _section("prompts", _prompts(config.prompts))
    yield from _section("limits", (f"{name}: {described(limit)}" for name, limit in config.limits.items()))
    issuers = config.identity.issuers
    yield from _section("issuers of tokens", (_issuer(name, one) for name, one in issuers.items()))
    yield from _section("keys", (_key(key) for key in config.keys))
    if config.cache.mode == "on":
        yield f"keeps answers for {config.cache.ttl_s:g} s, to be given again within one {config.cache.scope}"
    yield from _audit(config.audit)


def _issuer(name: str, issuer: Issuer) -> str:
    logins = ", and people log in with it" if issuer.client_id else ""
    return f"{name}: {issuer.issuer}, for {', '.join(issuer.audience)}{logins}"


def _audit(audit: Audit) -> Iterator[str]:
    if audit.mode == "off":
        yield "keeps no audit log"
    if audit.mode == "off" or (audit.mode == "standard" and audit.content == "off"):
        return
    kept = {"off": "no content", "masked": "prompts as they are sent", "full": "prompts and answers"}[audit.content]
    waits = ", and sends nothing that is not on record" if audit.mode == "strict" else ""
    yield f"keeps an audit log with {kept}{waits}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    listed = list(lines)
    if listed:
        yield f"{title} ({len(listed)}):"
        yield from (f"  {line}" for line in listed)


def _provider(name: str, provider: Provider) -> str:
    count = len(provider.credentials)
    credentials = {0: "no credential", 1: "1 credential"}.get(count, f"{count} credentials")
    kind = f" ({provider.kind})" if provider.kind != name else ""
    private = ", private addresses allowed" if provider.allow_private else ""
    return f"{name}{kind}: {provider.base_url}, {credentials}{private}"


def _deployment(name: str, one: Deployment) -> str:
    notes = [f"weight {one.weight:g}"] if one.weight != 1 else []
    notes += [one.region] if one.region else []
    notes += [f"at most {one.max_concurrent} at once"] if one.max_concurrent else []
    return f"{name}: {one.provider}/{one.model}" + (f" ({', '.join(notes)})" if notes else "")


def _route(alias: str, route: Route) -> str:
    tiers = " -> ".join(" | ".join(tier) for tier in route.tiers)
    notes: list[str] = [route.strategy]
    notes += [f"cache {route.cache}"] if route.cache else []
    notes += ["answers questions in other words"] if route.semantic else []
    return f"{alias}: {tiers} ({', '.join(notes)})"


def _guardrail(name: str, one: Guardrail) -> str:
    (kind,) = one.kinds
    notes: list[str] = [one.mode] if one.mode == "shadow" else []
    notes += [f"on {', '.join(one.on)}"] if one.on else []
    notes += ["open on errors"] if one.on_error == "open" else []
    notes += ["beside the model"] if one.parallel else []
    return f"{name}: {kind}" + (f" ({', '.join(notes)})" if notes else "")


def _prompts(prompts: Prompting) -> Iterator[str]:
    for name, prompt in prompts.templates.items():
        yield f"{name}: template, versions {', '.join(prompt.versions)}, {prompt.usual} where none is named"
    for name, decorator in prompts.decorators.items():
        does = [what for what in ("prepend", "append", "replace") if getattr(decorator, what)]
        yield f"{name}: {' and '.join(does)} to the {decorator.to} prompt"
    for name, policy in prompts.parameters.items():
        told = [f"{word} {', '.join(part.named)}" for word, part in _parts(policy) if part.named]
        told += [f"forbids {', '.join(policy.forbidden)}"] if policy.forbidden else []
        told += ["marks prompts for providers' caches"] if policy.prompt_cache else []
        yield f"{name}: {'; '.join(told) or 'nothing'}"


def _parts(policy: Parameters) -> tuple[tuple[str, Settings], ...]:
    return ("defaults", policy.defaults), ("caps", policy.caps), ("forces", policy.forced)


def _key(key: Key) -> str:
    owner = key.user or key.app or key.team or key.organisation
    notes = [f"may use {', '.join(key.allow)}"]
    notes += [f"for {owner}"] if owner else []
    notes += ["admin"] if key.admin else []
    notes += [f"until {key.expires}"] if key.expires else []
    notes += [f"${key.budget_usd:g} a {key.budget_per}"] if key.budget_usd else []
    return f"{key.name}: {'; '.join(notes)}"
