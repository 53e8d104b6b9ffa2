"""Tools, and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.gemini.tools import read_choice, read_tools


def test_every_tool_of_an_object_is_one() -> None:
    declared = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}
    tools = read_tools(Fields({"tools": {"function_declarations": [declared], "googleSearch": {}, "odd": {"x": 1}}}))
    assert [(tool.kind, tool.type or tool.name) for tool in tools] == [
        ("function", "f"),
        ("server", "web_search"),
        ("server", "odd"),
    ]
    assert tools[0].parameters == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("config", "mode", "required"),
    [
        ({"mode": "AUTO"}, "auto", False),
        ({"mode": "NONE"}, "none", False),
        ({"mode": "ANY"}, "required", False),
        ({"mode": "ANY", "allowed_function_names": ["f"]}, "named", False),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, "allowed", True),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, "allowed", False),
        ({}, "auto", False),
    ],
)
def test_choices(config: dict[str, Any], mode: str, required: bool) -> None:
    choice = read_choice(Fields({"functionCallingConfig": config}))
    assert choice is not None and (choice.mode, choice.required) == (mode, required)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(Unreadable, match="mode"):
        read_choice(Fields({"functionCallingConfig": {"mode": "SOMETIMES"}}))
