from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dragoman.config.load import load_config
from dragoman.config.prompting import Prompt, Settings, Turn, Variable, Version, problems_of
from dragoman.errors import ConfigError


def version(text: str, **variables: Variable) -> Version:
    return Version(messages=(Turn(role="user", text=text),), variables=variables)


def test_what_is_spoken_of() -> None:
    assert Settings(max_tokens=5, stop=("x",), temperature=0.0).named == {
        "max_tokens": 5,
        "stop": ["x"],
        "temperature": 0.0,
    }


def test_the_usual_version() -> None:
    one = version("a")
    assert Prompt(versions={"2": one, "1": one}).usual == "1"
    assert Prompt(versions={"2": one, "1": one}, default="2").usual == "2"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (version("{{a}}"), "a: is used and not among variables"),
        (version("a", b=Variable()), "variables.b: is not used"),
        (version("{{a}}", a=Variable(type="choice")), "variables.a: choices go with type choice, and only with it"),
        (version("{{a}}", a=Variable(choices=("x",))), "variables.a: choices go with type choice, and only with it"),
        (Version(messages=()), "messages: are none"),
    ],
)
def test_what_is_wrong_with_a_template(wrong: Version, said: str) -> None:
    assert problems_of(wrong) == [said]


BAD: list[tuple[str, str]] = [
    ("templates: {t: {versions: {}}}", "needs at least one version"),
    ("templates: {t: {default: '9', versions: {'1': {messages: [{role: user, text: a}]}}}}", "there is no version '9'"),
    ("templates: {t: {versions: {'1': {messages: [{role: user, text: '{{a}}'}]}}}}", "is used and not among variables"),
    ("decorators: {d: {to: user}}", "says nothing"),
    ("parameters: {p: {caps: {max_token: 5}}}", "max_tokens"),
    ("parameters: {p: {forbidden: [temperatur]}}", "forbidden"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(f"prompts:\n  {text}\n")
    environ: dict[str, Any] = {}
    with pytest.raises(ConfigError) as refused:
        load_config(path, environ)
    assert said in "\n".join(refused.value.problems)
