"""``dragoman org``, ``team``, ``user``, ``app`` and ``role``: alike but for a few options."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit

if TYPE_CHECKING:
    from dragoman.cli.database import Visit
    from dragoman.config.entities import Entity, Kind

_Command = Callable[..., Any]
_DOLLARS = click.FloatRange(0, 1_000_000, min_open=True)
_GRANTS = (
    click.option("--allow", multiple=True, metavar="ALIAS", help="A model its keys may use; * and ? are wild."),
    click.option("--model", "models", multiple=True, metavar="PROVIDER/MODEL", help="Likewise, at providers."),
    click.option("--provider", "providers", multiple=True, help="Likewise."),
    click.option("--surface", "surfaces", multiple=True, help="What its keys may ask for, such as chat."),
    click.option("--ip-range", "ip_ranges", multiple=True, metavar="CIDR", help="Where its keys may be used from."),
    click.option("--mcp-server", "mcp_servers", multiple=True, help="Whose tools (MCP) keys may call, likewise."),
    click.option("--without-guardrail", "without_guardrails", multiple=True, help="That its keys may be spared."),
    click.option("--max-request", "max_request_usd", type=_DOLLARS, help="What one request may come to, in dollars."),
    click.option("--max-retries", type=click.IntRange(0)),
    click.option("--max-deadline-s", type=click.FloatRange(0, min_open=True)),
)
_TITLE = click.option("--title", help="As people read it.")
_DISABLED = click.option("--disabled/--enabled", default=None, help="Whether its keys are served.")
_ORGANISATION = click.option("--organisation", default="", help="Where it is; empty: in none.")
_ROLE = click.option("--role", help="What it may do by the admin API: admin, viewer, ...")
_OPTIONS: dict[str, tuple[_Command, ...]] = {
    "organisation": (_TITLE, _DISABLED, *_GRANTS),
    "team": (_TITLE, _DISABLED, *_GRANTS),
    "user": (
        _TITLE,
        click.option("--email"),
        _ROLE,
        click.option("--team", "teams", multiple=True, metavar="NAME[=ROLE]", help="May be given several times."),
        _DISABLED,
        *_GRANTS,
    ),
    "app": (_TITLE, click.option("--team", help="Whose it is."), _ROLE, _DISABLED, *_GRANTS),
    "role": (
        _TITLE,
        click.option("--permission", "permissions", multiple=True, help="dragoman role permissions lists them."),
    ),
}
_GRANT_FIELDS = {
    *("allow", "models", "providers", "mcp_servers", "surfaces", "ip_ranges", "without_guardrails"),
    *("max_request_usd", "max_retries", "max_deadline_s"),
}


def _group(name: str, kind: Kind, text: str, example: str) -> click.Group:
    """The commands of one kind."""
    made = click.Group(name, help=f"{text}\n\n\b\n{example}", short_help=text, no_args_is_help=True)

    def command(verb: str, run: _Command, words: str, *options: _Command) -> None:
        def called(**given: Any) -> None:
            place = msgspec.convert(given, Place)
            for field in ("config_path", "data_dir", "store_url"):
                del given[field]
            with visit(place) as visited:
                run(visited, kind, **given)

        called = place_options(called)
        for option in reversed(options):
            called = option(called)
        made.add_command(click.command(verb, help=words)(called))

    where = () if kind == "organisation" else (_ORGANISATION,)
    which = click.argument("name")
    command("create", _create, f"Make the {kind} NAME.", which, *where, *_OPTIONS[kind])
    command("set", _set, f"Change the {kind} NAME: what is given is put in its place.", which, *where, *_OPTIONS[kind])
    command("show", _show, f"Show the {kind} NAME, as JSON.", which, *where)
    command("list", _list, f"List every {kind}.", click.option("--json", "as_json", is_flag=True, help="As JSON."))
    command("remove", _remove, f"Remove the {kind} NAME, which nothing may be in any more.", which, *where)
    return made


def _create(visited: Visit, kind: Kind, name: str, organisation: str = "", **given: Any) -> None:
    from dragoman.store.entities import create_entity

    place = {} if kind == "organisation" else {"organisation": organisation}
    fields = _fields(given)
    if kind == "role":
        fields.setdefault("permissions", [])
    entity = _made(kind, {"name": name} | place | fields)
    on_record(visited, f"{kind}.create", organisation=organisation, name=name, fields=sorted(fields))
    create_entity(visited.store.engine, entity, now_ms=time.time_ns() // 1_000_000)
    click.echo(f"{kind} {name} is made")


def _set(visited: Visit, kind: Kind, name: str, organisation: str = "", **given: Any) -> None:
    from dragoman.store.entities import change_entity

    before = _found(visited, kind, organisation, name)
    fields = _fields(given)
    grants = fields.pop("grants", {})
    known = msgspec.to_builtins(before)
    if grants:
        known["grants"] = known.get("grants", {}) | grants
    entity = _made(kind, known | fields)
    on_record(visited, f"{kind}.change", organisation=organisation, name=name, fields=sorted({*fields, *grants}))
    if not change_entity(visited.store.engine, before, entity, now_ms=time.time_ns() // 1_000_000):
        raise click.ClickException(f"the {kind} {name!r} was changed by another meanwhile; try again")
    click.echo(f"{kind} {name} is changed")


def _show(visited: Visit, kind: Kind, name: str, organisation: str = "") -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(_found(visited, kind, organisation, name))))


def _list(visited: Visit, kind: Kind, *, as_json: bool) -> None:
    from dragoman.access.declaring import flat
    from dragoman.config.entities import organisation_of
    from dragoman.store.entities import list_entities

    found = list_entities(visited.store.engine, kind, limit=100_000)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    header = (kind, "organisation", "")
    rows = [(one.name, organisation_of(one), _words(flat(one))) for one in found]
    click.echo(align(header, rows) if rows else f"no {kind}s; make one with: dragoman {_command_of(kind)} create NAME")


def _words(fields: dict[str, str]) -> str:
    return "  ".join(f"{name}={text}" for name, text in fields.items() if name not in ("name", "organisation"))


def _remove(visited: Visit, kind: Kind, name: str, organisation: str = "") -> None:
    from dragoman.store.entities import remove_entity

    on_record(visited, f"{kind}.delete", organisation=organisation, name=name)
    place = name if kind == "organisation" else organisation
    if not remove_entity(visited.store.engine, kind, place, name):
        raise _missing(kind, name, organisation)
    click.echo(f"{kind} {name} is removed")


def _found(visited: Visit, kind: Kind, organisation: str, name: str) -> Entity:
    from dragoman.store.entities import find_entity

    place = name if kind == "organisation" else organisation
    entity = find_entity(visited.store.engine, kind, place, name)
    if entity is None:
        raise _missing(kind, name, organisation)
    return entity


def _missing(kind: Kind, name: str, organisation: str) -> click.ClickException:
    of = f" in {organisation}" if organisation else ""
    return click.ClickException(f"there is no {kind} {name!r}{of}; see: dragoman {_command_of(kind)} list")


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given, with those of grants among themselves."""
    said = {name: value for name, value in given.items() if value is not None and value != ()}
    if isinstance(said.get("teams"), tuple):
        said["teams"] = {team: role or "member" for team, _, role in (one.partition("=") for one in said["teams"])}
    grants = {name: said.pop(name) for name in list(said) if name in _GRANT_FIELDS}
    return said | ({"grants": grants} if grants else {})


def _made(kind: Kind, fields: dict[str, Any]) -> Entity:
    from dragoman.access.roles import PERMISSIONS, ROLES
    from dragoman.config.entities import KINDS, Role

    try:
        entity: Entity = msgspec.convert(fields, KINDS[kind])
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error
    if isinstance(entity, Role):
        if entity.name in ROLES:
            raise click.UsageError(f"the role {entity.name!r} is built in; choose another name")
        unknown = sorted(set(entity.permissions) - PERMISSIONS.keys())
        if unknown:
            raise click.UsageError(f"{unknown[0]!r} is no permission; see: dragoman role permissions")
    return entity


def _command_of(kind: Kind) -> str:
    return "org" if kind == "organisation" else kind


org = _group(
    "org",
    "organisation",
    "Make and change organisations, which see nothing of one another.",
    "  dragoman org create acme --allow 'gpt-*' --provider openai\n  dragoman org set acme --max-request 0.50",
)
team = _group(
    "team",
    "team",
    "Make and change teams.",
    "  dragoman team create shop --organisation acme\n  dragoman limits set shop --of team --team shop --cost 20",
)
user = _group(
    "user",
    "user",
    "Add and change people.",
    "  dragoman user create eve --organisation acme --role viewer --team shop=admin",
)
app = _group(
    "app",
    "app",
    "Make and change applications.",
    "  dragoman app create checkout --organisation acme --team shop",
)
role = _group(
    "role",
    "role",
    "Make and change roles.",
    "  dragoman role create locksmith --permission keys.read --permission keys.write\n  dragoman role permissions",
)


@role.command()
def permissions() -> None:
    """List the permissions, and the roles that are built in."""
    from dragoman.access.roles import PERMISSIONS, ROLES

    rows = [
        (name, text, " ".join(one for one, has in ROLES.items() if name in has)) for name, text in PERMISSIONS.items()
    ]
    click.echo(align(("permission", "to", "roles that have it"), rows))
