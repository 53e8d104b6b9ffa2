"""``dragoman keys``: make, list and revoke virtual keys. A running server notices within seconds."""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit
from dragoman.config.limiting import Per
from dragoman.config.schema import Key

if TYPE_CHECKING:
    from dragoman.access.stored import CreatedKey, StoredKey

_DOLLARS = click.FloatRange(0, 1_000_000, min_open=True)
_DAYS = {"d": 1, "w": 7, "y": 365}


@click.group(short_help="Make, list and revoke virtual keys.")
def keys() -> None:
    """Make, list and revoke virtual keys.

    \b
      dragoman keys create demo
      dragoman keys create demo --budget 5 --budget-per month
      dragoman keys create ci --allow 'gpt-*' --team search --tag nightly --expires 90d
      dragoman keys list
      dragoman keys rotate demo --overlap 24h
      dragoman keys disable demo
      dragoman keys leaked < found-secrets.txt
      dragoman keys revoke demo
    """


@keys.command()
@click.argument("name")
@click.option("--allow", multiple=True, metavar="ALIAS", help="A model it may use; * and ? are wild. Default: all.")
@click.option("--admin", is_flag=True, help="May use the operators' endpoints.")
@click.option("--expires", default="", metavar="WHEN", help="A period (90d, 2w, 1y) or a time (2027-01-31T00:00:00Z).")
@click.option("--organisation", default="", help="Whose it is, as the three below.")
@click.option("--team", default="")
@click.option("--user", default="")
@click.option("--app", default="")
@click.option("--tag", "tags", multiple=True, help="May be given several times.")
@click.option("--max-deadline-s", type=click.FloatRange(0, min_open=True), help="The longest deadline it may ask for.")
@click.option("--max-retries", type=click.IntRange(0), help="The most retries it may ask for.")
@click.option("--no-fallbacks", is_flag=True, help="May not name fallbacks in a request.")
@click.option("--no-cache-knobs", is_flag=True, help="May not say in a request how its answer is cached.")
@click.option("--lossy", type=click.Choice(["allow", "meaning", "strict"]), help="How much translation may lose.")
@click.option("--budget", "budget_usd", type=_DOLLARS, metavar="DOLLARS", help="What it may spend.")
@click.option("--budget-per", type=click.Choice(get_args(Per)), default="month", show_default=True)
@click.option("--requests-per-minute", type=click.IntRange(1))
@click.option("--tokens-per-minute", type=click.IntRange(1), help="Of prompts and answers.")
@click.option("--max-concurrent", type=click.IntRange(1), help="Requests at the same time.")
@click.option(
    "--max-request", "max_request_usd", type=_DOLLARS, metavar="DOLLARS", help="What one request may come to."
)
@click.option("--ip-range", "ip_ranges", multiple=True, metavar="CIDR", help="Where it may be used from.")
@click.option("--surface", "surfaces", multiple=True, help="What it may ask for, such as chat; * and ? are wild.")
@click.option("--model", "models", multiple=True, metavar="PROVIDER/MODEL", help="That its requests may reach.")
@click.option("--provider", "providers", multiple=True, help="That its requests may reach; * and ? are wild.")
@click.option("--mcp-server", "mcp_servers", multiple=True, help="Whose tools (MCP) it may call; * and ? are wild.")
@click.option("--without-guardrail", "without_guardrails", multiple=True, help="That its requests are spared.")
@click.option("--role", default="", help="What it may do by the admin API: admin, viewer, ...")
@click.option("--allow-no-log", is_flag=True, help="May ask that a request is not logged.")
@click.option("--json", "as_json", is_flag=True, help="Print the key as JSON.")
@place_options
def create(as_json: bool, config_path: Path | None, **fields: object) -> None:  # noqa: FBT001
    """Make a key called NAME and print its secret, once: what is kept cannot be turned back into it."""
    from dragoman.access.declared import key_problems
    from dragoman.access.secret import load_pepper
    from dragoman.access.stored import create_key, places_missing

    place = msgspec.convert({"config_path": config_path} | fields, Place)
    for name in ("allow", "models", "providers", "mcp_servers"):
        fields[name] = fields[name] or ("*",)
    fields["lossy"] = fields["lossy"] or ""
    fields["expires"] = expiry(str(fields["expires"]), time.time())
    named = {name: value for name, value in fields.items() if name in Key.__struct_fields__}
    named |= {"allow_fallbacks": not fields["no_fallbacks"], "allow_cache_knobs": not fields["no_cache_knobs"]}
    key = msgspec.convert(named, Key)
    with visit(place) as visited:
        store, config = visited
        pepper = load_pepper(store.directory, os.environ)
        if problems := key_problems(key):
            raise click.UsageError("; ".join(problems))
        if missing := places_missing(store.engine, key):
            raise click.UsageError(f"{missing[0]}; {_how_to_make(missing[0])}")
        on_record(visited, "key.create", name=key.name, team=key.team, admin=key.admin, allow=key.allow)
        created = create_key(store.engine, pepper, key, now_ms=_now_ms())
    click.echo(_created_json(created) if as_json else _created_text(created, config.server.port))


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array, times in Unix milliseconds.")
@place_options
def list_(config_path: Path | None, data_dir: str | None, store_url: str | None, *, as_json: bool) -> None:
    """List every key, revoked ones too. Keys that a configuration file declares are not among them."""
    from dragoman.access.stored import list_keys

    with visit(Place(config_path, data_dir, store_url)) as (store, _):
        found = list_keys(store.engine)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        click.echo(_table(found, _now_ms()))


@keys.command()
@click.argument("key", metavar="ID_OR_NAME")
@place_options
def revoke(key: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Revoke a key. Servers stop taking it within 5 seconds."""
    from dragoman.access.stored import revoke_key

    with visit(Place(config_path, data_dir, store_url)) as visited:
        on_record(visited, "key.revoke", key=key)
        revoked = revoke_key(visited.store.engine, key, now_ms=_now_ms())
    if revoked is None:
        raise click.ClickException(f"there is no key {key!r}; see: dragoman keys list")
    click.echo(f"{revoked.id} ({revoked.name}) is revoked since {_moment(revoked.revoked_at_ms)}")


@keys.command()
@click.argument("key", metavar="ID_OR_NAME")
@click.option("--overlap", default="24h", show_default=True, metavar="PERIOD", help="The old secret is good so long.")
@click.option("--json", "as_json", is_flag=True, help="Print the key as JSON.")
@place_options
def rotate(
    key: str, overlap: str, config_path: Path | None, data_dir: str | None, store_url: str | None, *, as_json: bool
) -> None:
    """Give a key a new secret, which is printed once. All else stays: its name, its limits, what it has spent."""
    from dragoman.access.secret import load_pepper
    from dragoman.access.stored import rotate_key

    now_ms = _now_ms()
    with visit(Place(config_path, data_dir, store_url)) as visited:
        store, config = visited
        on_record(visited, "key.rotate", key=key, overlap=overlap)
        pepper = load_pepper(store.directory, os.environ)
        rotated = rotate_key(store.engine, pepper, key, overlap_ms=_period_ms(overlap, now_ms), now_ms=now_ms)
    if rotated is None:
        raise click.ClickException(f"no key {key!r} is in force; see: dragoman keys list")
    click.echo(_created_json(rotated) if as_json else _created_text(rotated, config.server.port))


@keys.command()
@click.argument("key", metavar="ID_OR_NAME")
@place_options
def disable(key: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Switch a key off, until it is enabled again. Servers stop taking it within 5 seconds."""
    _switch(Place(config_path, data_dir, store_url), key, _now_ms())


@keys.command()
@click.argument("key", metavar="ID_OR_NAME")
@place_options
def enable(key: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Switch a key on again."""
    _switch(Place(config_path, data_dir, store_url), key, None)


@keys.command()
@click.argument("secret", required=False)
@place_options
def leaked(secret: str | None, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Disable the key of a SECRET that was found in the open; without one, of each line of the standard input."""
    from dragoman.access.secret import load_pepper
    from dragoman.access.stored import find_key, switch_key

    secrets = [secret] if secret else sys.stdin.read().split()
    with visit(Place(config_path, data_dir, store_url)) as visited:
        store = visited.store
        pepper = load_pepper(store.directory, os.environ)
        for one in secrets:
            found = find_key(store.engine, pepper, one)
            if found is None:
                click.echo(f"{shown_start(one)} is no key of this gateway")
                continue
            on_record(visited, "key.leaked", key=found.id)
            switch_key(store.engine, found.id, disabled_at_ms=_now_ms(), reason="leaked")
            click.echo(f"{found.id} ({found.name}) is disabled; rotate it, then enable it")


def shown_start(secret: str) -> str:
    """So much of a secret that one can be told from another."""
    return f"{secret[:10]}..."


def _how_to_make(missing: str) -> str:
    kind = missing.partition(":")[0]
    return f"make it with: dragoman {'org' if kind == 'organisation' else kind} create"


def _switch(place: Place, key: str, disabled_at_ms: int | None) -> None:
    from dragoman.access.stored import switch_key

    with visit(place) as visited:
        on_record(visited, "key.enable" if disabled_at_ms is None else "key.disable", key=key)
        switched = switch_key(visited.store.engine, key, disabled_at_ms=disabled_at_ms)
    if switched is None:
        raise click.ClickException(f"no key {key!r} is in force; see: dragoman keys list")
    click.echo(f"{switched.id} ({switched.name}) is {'enabled' if disabled_at_ms is None else 'disabled'}")


def _period_ms(text: str, now_ms: int) -> int:
    from dragoman.usage.report import parse_moment_ms

    if not re.fullmatch(r"\d{1,6}[mhdw]", text):
        raise click.BadParameter(f"{text!r} is no period, such as 24h", param_hint="--overlap")
    return now_ms - parse_moment_ms(text, now_ms)


def expiry(text: str, now_s: float) -> str:
    """The time of ``90d`` and the like, as a configuration file has it; other text as it is."""
    period = re.fullmatch(r"([1-9]\d{0,4})([dwy])", text)
    if not period:
        return text
    days = int(period[1]) * _DAYS[period[2]]
    return datetime.fromtimestamp(now_s + days * 86400, UTC).isoformat(timespec="seconds")


def _created_text(created: CreatedKey, port: int) -> str:
    return (
        f"key     {created.key.id} ({created.key.name})\n"
        f"secret  {created.secret}\n"
        f"hash    {created.hash}\n"
        "\n"
        "The secret is shown this once. A configuration file may hold the hash in its place.\n"
        "Try it:\n"
        f'  curl http://127.0.0.1:{port}/v1/models -H "authorization: Bearer {created.secret}"'
    )


def _created_json(created: CreatedKey) -> bytes:
    shown = {"secret": created.secret, "hash": created.hash} | msgspec.structs.asdict(created.key)
    return msgspec.json.format(msgspec.json.encode(shown))


def _table(found: list[StoredKey], now_ms: int) -> str:
    header = ("id", "name", "secret", "state", "allow", "team", "tags", "expires", "last used")
    rows = [
        (
            key.id,
            key.name,
            key.prefix + "...",
            _state(key, now_ms),
            " ".join(key.allow),
            key.team,
            ",".join(key.tags),
            _moment(key.expires_at_ms) or "never",
            _moment(key.last_used_at_ms) or "never",
        )
        for key in found
    ]
    return align(header, rows) if rows else "no keys; make one with: dragoman keys create NAME"


def _state(key: StoredKey, now_ms: int) -> str:
    if key.revoked_at_ms is not None:
        return "revoked"
    if key.expires_at_ms is not None and key.expires_at_ms <= now_ms:
        return "expired"
    if key.disabled_at_ms is not None:
        return key.disabled_reason or "disabled"
    return "admin" if key.admin else key.role or "in force"


def _moment(unix_ms: int | None) -> str:
    if unix_ms is None:
        return ""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
