"""The command ``dragoman``: a list of names, each imported only when it is called.

``dragoman --help`` and shell completion answer from the table below, so neither pays for the server or the database.
Exit codes: 0 done, 1 failed, 2 wrong usage, 78 (``EX_CONFIG``) the configuration cannot be used.
"""

from __future__ import annotations

from importlib import import_module

import click

from dragoman import __version__

COMMANDS = {
    "serve": "Start the gateway.",
    "check": "Say what a configuration means, or what is wrong with it.",
    "init": "Write a commented configuration file.",
    "org": "Make and change organisations, which see nothing of one another.",
    "team": "Make and change teams.",
    "user": "Add and change people.",
    "app": "Make and change applications.",
    "role": "Make and change roles.",
    "keys": "Make, list and revoke virtual keys.",
    "limits": "Limit what may be used and spent.",
    "apply": "Make who there is what a file declares.",
    "usage": "Say what was used and what it cost.",
    "audit": "Verify, search and export the audit log; erase people.",
    "config": "Store sections of the configuration, and go back to earlier ones.",
    "db": "Migrate, copy and back up the database.",
    "models": "List the models whose prices are known.",
    "matrix": "Say what of a request each dialect can carry.",
    "prompts": "Store prompt templates.",
    "guardrails": "Find out what guardrails see.",
    "rehearse": "Start the rehearsal provider alone, as a staging upstream.",
    "completion": "Print the shell's completion script.",
}
"""Each command and the first line of its help; ``dragoman.cli.<name>`` holds it under its own name."""
HOMES = dict.fromkeys(("org", "team", "user", "app", "role"), "entities")
"""The modules of those that share one."""
ALIASES = {"key": "keys", "limit": "limits", "budget": "limits"}


class LazyGroup(click.Group):
    """A group that imports a command when it is run, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now."""
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            if not ctx.resilient_parsing:
                from dragoman.config.tree import nearest

                ctx.fail(f"no command {cmd_name}{nearest(cmd_name, COMMANDS)}")
            return None
        command = getattr(import_module(f"dragoman.cli.{HOMES.get(cmd_name, cmd_name)}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a module of ours without its command is a bug
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        """Complete a command's name without importing it."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        if incomplete.startswith("-") or not names:
            return super().shell_complete(ctx, incomplete)
        return [click.shell_completion.CompletionItem(name, help=COMMANDS[name]) for name in names]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dragoman")
def root() -> None:
    """One gateway between applications and model providers.

    \b
    Start at once, with the rehearsal provider or the keys in your environment:
      dragoman serve
    Write a configuration, look at it, use it:
      dragoman init > dragoman.yaml
      dragoman check dragoman.yaml
      dragoman serve --config dragoman.yaml
    """


def main() -> None:
    """The entry point of the command."""
    root(prog_name="dragoman")
