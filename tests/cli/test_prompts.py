from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

GOOD = {
    "messages": [{"role": "system", "text": "You help the users of {{product}}."}],
    "variables": {"product": {"type": "line"}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "support.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    return path


def test_added_listed_shown_and_removed(run: Run, tmp_path: Path, file: Path) -> None:
    data = ("--data-dir", str(tmp_path / "d"))
    assert "no prompts" in run("prompts", "list", *data).output
    assert run("prompts", "add", "support", str(file), *data).output == "support@1 is stored\n"
    assert run("prompts", "add", "support", str(file), *data).output == "support@2 is stored\n"
    listed = run("prompts", "list", *data).output.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [["support", "1", "product"], ["support", "2", "product"]]
    assert [one["version"] for one in json.loads(run("prompts", "list", "--json", *data).output)] == [1, 2]
    shown = yaml.safe_load(run("prompts", "show", "support@1", *data).output)
    assert (shown["messages"], shown["variables"]["product"]["type"]) == (GOOD["messages"], "line")
    assert "1 version of support removed" in run("prompts", "remove", "support@2", *data).output
    assert "1 version of support removed" in run("prompts", "remove", "support", *data).output


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("messages: [", "while parsing"),
        ("{}", "messages"),
        ("messages: [{role: system, text: '{{x}}'}]", "x: is used and not among variables"),
        ("messages: [{role: robot, text: a}]", "robot"),
        ("messages: [{role: user, text: a}]\nverson: 1", "verson"),
    ],
)
def test_a_file_that_is_none_says_why(run: Run, tmp_path: Path, file: Path, written: str, said: str) -> None:
    file.write_text(written)
    refused = run("prompts", "add", "support", str(file), "--data-dir", str(tmp_path / "d"))
    assert (refused.exit_code, said in refused.output) == (1, True), refused.output


@pytest.mark.parametrize("name", ["", " a", "a b", "-a"])
def test_a_name_is_one(run: Run, tmp_path: Path, file: Path, name: str) -> None:
    assert run("prompts", "add", "--data-dir", str(tmp_path / "d"), "--", name, str(file)).exit_code == 2


def test_what_the_configuration_has_is_not_stored_beside_it(run: Run, tmp_path: Path, file: Path) -> None:
    config = tmp_path / "dragoman.yaml"
    store = {"data_dir": str(tmp_path / "d")}
    config.write_text(json.dumps({"store": store, "prompts": {"templates": {"support": {"versions": {"1": GOOD}}}}}))
    refused = run("prompts", "add", "support", str(file), "--config", str(config))
    assert (refused.exit_code, "in its place" in refused.output) == (1, True)


@pytest.mark.parametrize("command", ["show", "remove"])
def test_what_there_is_not(run: Run, tmp_path: Path, command: str) -> None:
    missing = run("prompts", command, "nothing@1", "--data-dir", str(tmp_path / "d"))
    assert (missing.exit_code, "there is no prompt" in missing.output) == (1, True)
