from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.config.declaration import load_declaration
from dragoman.config.entities import App, Organisation
from dragoman.errors import ConfigError


def test_those_come_first_that_others_are_in(tmp_path: Path) -> None:
    file = tmp_path / "who.toml"
    file.write_text('[[apps]]\nname = "a"\norganisation = "o"\n[[organisations]]\nname = "${NAME}"\n')
    declaration = load_declaration(file, {"NAME": "o"})
    assert declaration.entities == (Organisation(name="o"), App(name="a", organisation="o"))


def test_every_fault_is_found(tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text("teams: [{}]\nroles: [{name: r}]\nlimits: {x: {of: [team, team], requests: 1}}\n")
    with pytest.raises(ConfigError) as refused:
        load_declaration(file, {})
    assert len(refused.value.problems) == 3
