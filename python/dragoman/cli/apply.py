"""``dragoman apply``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dragoman.cli.acts import on_record
from dragoman.cli.database import Place, place_options, visit


@click.command(short_help="Make who there is what a file declares.")
@click.option(
    "-f", "--file", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--prune", is_flag=True, help="Remove what is stored and not in the file.")
@place_options
def apply(  # noqa: PLR0913 - each is an option
    file: Path,
    config_path: Path | None,
    data_dir: str | None,
    store_url: str | None,
    *,
    yes: bool,
    dry_run: bool,
    prune: bool,
) -> None:
    """Make organisations, roles, teams, users, apps and limits what FILE (YAML or TOML) declares.

    What would change is shown first. Running servers know it within 5 seconds.

    \b
      dragoman apply -f who.yaml --dry-run

    \b
      organisations: [{name: acme, grants: {allow: ["gpt-*"]}}]
      teams: [{name: shop, organisation: acme}]
      apps: [{name: checkout, organisation: acme, team: shop}]
      users: [{name: eve, organisation: acme, role: viewer, teams: {shop: admin}}]
      limits: {shop: {of: [team], applies_to: {teams: [shop]}, cost_usd: 20, per: month}}
    """
    from dragoman.access.declaring import changes, make
    from dragoman.config.declaration import load_declaration

    with visit(Place(config_path, data_dir, store_url)) as visited:
        found = changes(visited.store.engine, load_declaration(file, os.environ), prune=prune)
        for change in found:
            click.echo("\n".join(change.lines))
        if not found:
            click.echo("nothing to change")
        if not found or dry_run:
            return
        if not yes:
            click.confirm(f"{len(found)} changes: make them?", abort=True)
        for done, change in enumerate(found):
            on_record(visited, change.act, organisation=change.organisation, name=change.name)
            try:
                make(visited.store.engine, change)
            except Exception:
                click.echo(f"{done} of {len(found)} changes are made", err=True)
                raise
        click.echo(f"{len(found)} changes are made")
