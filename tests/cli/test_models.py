from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dragoman.cli import root

OURS = """
providers:
  first: {kind: openai, api_key: a}
  box: {base_url: "http://10.0.0.7/v1"}
deployments:
  big: {provider: first, model: gpt-4.1}
  small: {provider: box, model: qwen, price: {input_usd_mtok: 0.05, output_usd_mtok: 0.1}}
  odd: {provider: box, model: nobody-knows}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner(env={"DRAGOMAN_CONFIG": None}).invoke(root, ["models", *arguments])
    assert result.exit_code == 0
    return result


def test_a_model_stands_under_its_provider_s_own_name(here: Path) -> None:
    (here / "dragoman.yaml").write_text(OURS)
    listed = {one["name"]: one for one in json.loads(run("--configured", "--json").stdout)}
    assert {one["provider"] for one in listed.values()} == {"first", "box"}
    assert listed["first/gpt-4.1"]["input_usd_mtok"] == listed["big"]["input_usd_mtok"] > 0
    assert listed["small"]["output_usd_mtok"] == 0.1
    assert listed["small"]["cached_input_usd_mtok"] == 0.05
    assert listed["odd"]["input_usd_mtok"] is None


def test_the_table(here: Path) -> None:
    (here / "dragoman.yaml").write_text(OURS)
    lines = run("--provider", "box").stdout.splitlines()
    assert lines[0].split()[0] == "model"
    assert lines[1].split() == ["*", "small", "0.05", "0.05", "0.1"]
    assert lines[2].split() == ["*", "odd", "unpriced", "unpriced", "unpriced"]
    assert lines[3] == "2 models, * configured"


def test_a_provider_that_nobody_knows_has_none(here: Path) -> None:
    assert run("--provider", "nobody").stdout.splitlines()[-1] == "0 models"
