"""``dragoman completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete dragoman's commands and options.

    \b
      bash:  eval "$(dragoman completion bash)"         in ~/.bashrc
      zsh:   eval "$(dragoman completion zsh)"          in ~/.zshrc
      fish:  dragoman completion fish > ~/.config/fish/completions/dragoman.fish
    """
    source = get_completion_class(shell)
    assert source is not None  # noqa: S101 - click has all three
    click.echo(source(ctx.find_root().command, {}, "dragoman", "_DRAGOMAN_COMPLETE").source())
