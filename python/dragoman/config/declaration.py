"""A file that says who there is and what they may use: what ``dragoman apply`` makes so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from dragoman.config.convert import convert
from dragoman.config.entities import App, Entity, Organisation, Role, Team, User
from dragoman.config.environ import Substitution
from dragoman.config.limiting import Limit, problems_of
from dragoman.config.load import read_file
from dragoman.config.part import Part
from dragoman.config.tree import Problems


class Declaration(Part, frozen=True, kw_only=True):
    """A whole file."""

    organisations: Annotated[tuple[Organisation, ...], "tenants"] = ()
    roles: Annotated[tuple[Role, ...], "beside those that are built in"] = ()
    teams: Annotated[tuple[Team, ...], "of organisations, or of none"] = ()
    users: Annotated[tuple[User, ...], "people"] = ()
    apps: Annotated[tuple[App, ...], "programs"] = ()
    limits: Annotated[dict[str, Limit], "limits and budgets, by name"] = {}

    @property
    def entities(self) -> tuple[Entity, ...]:
        """Everyone, those first that others are in."""
        return (*self.organisations, *self.roles, *self.teams, *self.users, *self.apps)


def load_declaration(path: Path, environ: Mapping[str, str]) -> Declaration:
    """What a file declares.

    Raises:
        ConfigError: with every fault found.
    """
    root = read_file(path)
    problems = Problems(str(path), root)
    declaration = convert(root, Declaration, Substitution(environ, path.parent), problems)
    for name, limit in declaration.limits.items():
        for problem in problems_of(limit):
            problems.add(("limits", name), problem)
    problems.raise_if_any()
    return declaration
