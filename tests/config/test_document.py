from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from dragoman.config.document import EXAMPLE, example_yaml, json_schema
from dragoman.config.load import load_config
from dragoman.config.schema import Config

ENVIRON = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b", "ALICE_KEY": "c"}


def uncommented(text: str) -> str:
    """The file with its values taken out of their comments; prose stays in them."""
    return re.sub(r"^#(?=\S|  )", "", text, flags=re.MULTILINE)


def test_the_example_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(example_yaml())
    assert load_config(path, {}) == Config()


def test_what_it_shows_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(uncommented(example_yaml().removesuffix(EXAMPLE)))
    assert load_config(path, {}) == Config()
    assert "port: 8080" in path.read_text()
    assert "tokens_per_s: 80.0" in path.read_text()


def test_it_names_every_field_that_has_a_place() -> None:
    text = example_yaml()
    for section in (Config().server, Config().server.limits, Config().store, Config().defaults, Config().rehearsal):
        for name in section.__struct_fields__:
            assert re.search(rf"^# +{name}:.* # \S", text, re.MULTILINE), name


def test_the_example_part_loads(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    (tmp_path / "secret").write_text("d")
    path.write_text(uncommented(EXAMPLE).replace("/run/secrets/anthropic", "secret"))
    config = load_config(path, ENVIRON)
    assert set(config.providers) == {"openai", "anthropic", "ours"}
    assert config.routes["assistant"].tiers == (("big", "big-elsewhere"), ("openai/gpt-4.1-mini",))
    assert config.keys[0].secret == "c"


def test_no_line_is_too_long() -> None:
    assert max(map(len, example_yaml().splitlines())) <= 120


def fields_of(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{part}.{name}", field)
        for part, definition in schema["$defs"].items()
        for name, field in definition["properties"].items()
    ]


def test_the_schema_describes_every_field() -> None:
    schema = json_schema()
    msgspec.json.encode(schema)
    found = fields_of(schema)
    assert len(found) > 90
    assert all(field["description"] for _, field in found)
    assert all(definition["additionalProperties"] is False for definition in schema["$defs"].values())


def test_a_number_may_be_a_reference() -> None:
    port = dict(fields_of(json_schema()))["Server.port"]
    assert port["default"] == 8080
    assert {"type": "string", "pattern": r"\$\{"} in port["anyOf"]
    assert {"type": "integer", "minimum": 0, "maximum": 65535} in port["anyOf"]
