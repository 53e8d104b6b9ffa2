from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dragoman.config.guards import KINDS, Guardrail, Mask, Words
from dragoman.config.load import load_config
from dragoman.errors import ConfigError


def load(folder: Path, **guardrails: Any) -> Any:
    path = folder / "dragoman.yaml"
    path.write_text(yaml.safe_dump({"guardrails": guardrails}))
    return load_config(path, {})


def test_what_is_given_says_what_it_is(tmp_path: Path) -> None:
    config = load(tmp_path, pii={"mask": {"actions": {"US_SSN": "block"}}}, topics={"words": {"deny": ["x"]}})
    assert list(config.guardrails["pii"].kinds) == ["mask"]
    assert config.guardrails["topics"].words == Words(deny=("x",))
    assert Guardrail(mask=Mask()).kinds.keys() < set(KINDS)


@pytest.mark.parametrize(
    ("guardrail", "message"),
    [
        ({}, "guardrails.a: says not what it does: give one of mask, injection"),
        ({"mask": {}, "toxicity": {}}, "guardrails.a: give one of mask, toxicity"),
        ({"mask": {"entities": ["EMAIL"]}}, "guardrails.a.mask: there is no entity"),
        ({"mask": {"actions": {"EMAIL": "block"}}}, "guardrails.a.mask: there is no entity"),
        ({"mask": {"actions": {"EMAIL_ADDRESS": "hide"}}}, "is not one of mask, redact"),
        ({"mask": {"patterns": {"mine": "("}}}, "guardrails.a.mask: mine"),
        ({"patterns": {"deny": {"mine": "(?=x)"}}}, "guardrails.a.patterns: mine"),
        ({"patterns": {"require": {"mine": "x*"}}}, "guardrails.a.patterns: mine"),
        ({"words": {"deny": [""]}}, "guardrails.a.words"),
        ({"words": {}}, "deny: is missing"),
        ({"toxicity": {}, "on": ["everywhere"]}, "everywhere"),
        ({"injection": {"threshold": 2}}, "threshold"),
        ({"language": {"allow": ["klingon"]}}, "klingon"),
        ({"code": {"languages": ["cobol"]}}, "cobol"),
        ({"json_schema": {}, "on_stream": "windows"}, "guardrails.a.on_stream: json_schema tells nothing of a part"),
        ({"length": {}, "on_stream": "windows"}, "hold, or skip"),
        ({"patterns": {"require": {"mine": "x"}}, "on_stream": "windows"}, "guardrails.a.on_stream"),
        ({"toxicity": {}, "on": ["input"], "on_stream": "skip"}, "guardrails.a.on_stream: it looks at no answers"),
        ({"toxicity": {}, "on_stream": "later"}, "later"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, guardrail: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(tmp_path, a=guardrail)
    assert message in str(told.value)
