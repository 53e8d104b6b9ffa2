from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from dragoman.cli import root
from dragoman.cli.matrix import in_markdown
from dragoman.dialects.matrix import matrix

README = Path(__file__).parents[2] / "README.md"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(root, ["matrix", *arguments])
    assert result.exit_code == 0
    return result.output


def test_it_is_printed() -> None:
    header, *lines = run().splitlines()
    assert header.split() == [
        "openai_chat",
        "openai_responses",
        "anthropic",
        "gemini",
        "bedrock",
        "bedrock_invoke",
        "vertex_claude",
        "cohere",
        "ollama",
        "watsonx",
    ]
    assert any(line.startswith("seed ") for line in lines)


def test_it_is_json() -> None:
    assert json.loads(run("--json")) == matrix()


def test_the_readme_shows_the_same() -> None:
    """``dragoman matrix --markdown`` prints what is to stand there."""
    assert in_markdown(matrix()) in README.read_text()
    assert run("--markdown").strip() == in_markdown(matrix())
