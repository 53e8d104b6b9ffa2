"""``dragoman prompts``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit
from dragoman.errors import ConfigError

if TYPE_CHECKING:
    from dragoman.store.prompts import StoredPrompt


@click.group(no_args_is_help=True)
def prompts() -> None:
    """Store prompt templates.

    Clients call them with a field of their request: prompt: {id, version, variables}.

    \b
      dragoman prompts add support support.yaml
      dragoman prompts list
      dragoman prompts show support
    """


@prompts.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@place_options
def add(name: str, file: Path, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Store FILE (YAML or JSON) as the next version of the template NAME. Servers know it within 5 seconds.

    \b
      messages:
        - {role: system, text: "You help the users of {{product}}."}
      variables:
        product: {type: line}
    """
    import yaml

    from dragoman.config.check import is_name
    from dragoman.config.prompting import Version
    from dragoman.store.prompts import add_prompt

    if not is_name(name):
        raise click.UsageError("a name is 1 to 128 letters, digits and . _ : / @ + -, the first a letter or digit")
    try:
        body = msgspec.convert(yaml.safe_load(file.read_text("utf-8")), Version)
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    with visit(Place(config_path, data_dir, store_url)) as visited:
        store, config = visited
        if name in config.prompts.templates:
            raise click.ClickException(f"the configuration has a template {name!r}, which would be called in its place")
        on_record(visited, "prompt.add", name=name)
        try:
            stored = add_prompt(store.engine, name, body, now_ms=int(time.time() * 1000))
        except ConfigError as error:
            raise click.ClickException(f"{file}: {'; '.join(error.problems)}") from error
    click.echo(f"{stored.id}@{stored.version} is stored")


@prompts.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array, whole.")
@place_options
def list_(config_path: Path | None, data_dir: str | None, store_url: str | None, *, as_json: bool) -> None:
    """List every version of every stored template."""
    from dragoman.store.prompts import list_prompts

    with visit(Place(config_path, data_dir, store_url)) as (store, _):
        found = list_prompts(store.engine)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    elif found:
        click.echo(align(("name", "version", "variables", "begins"), [_row(one) for one in found]))
    else:
        click.echo("no prompts; store one with: dragoman prompts add NAME FILE")


@prompts.command()
@click.argument("name", metavar="NAME[@VERSION]")
@place_options
def show(name: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Print a template as it was stored; without a version the last."""
    import yaml

    from dragoman.store.prompts import list_prompts

    wanted, version = _named(name)
    with visit(Place(config_path, data_dir, store_url)) as (store, _):
        found = [one for one in list_prompts(store.engine) if one.id == wanted and version in (None, one.version)]
    if not found:
        raise click.ClickException(f"there is no prompt {name!r}; see: dragoman prompts list")
    told = msgspec.json.decode(msgspec.json.encode(found[-1].body))
    click.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), nl=False)


@prompts.command()
@click.argument("name", metavar="NAME[@VERSION]")
@place_options
def remove(name: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Remove a version of a template, or all of them. Servers forget it within 5 seconds."""
    from dragoman.store.prompts import remove_prompt

    wanted, version = _named(name)
    with visit(Place(config_path, data_dir, store_url)) as visited:
        on_record(visited, "prompt.remove", name=name)
        removed = remove_prompt(visited.store.engine, wanted, version)
    if not removed:
        raise click.ClickException(f"there is no prompt {name!r}; see: dragoman prompts list")
    click.echo(f"{removed} version{'s' * (removed != 1)} of {wanted} removed")


def _named(text: str) -> tuple[str, int | None]:
    """A name, and the version behind its last ``@`` if that is a number."""
    name, at, version = text.rpartition("@")
    return (name, int(version)) if at and version.isdigit() else (text, None)


def _row(one: StoredPrompt) -> tuple[str, str, str, str]:
    begins = " ".join(one.body.messages[0].text.split())
    return one.id, str(one.version), " ".join(one.body.variables), begins[:60]
