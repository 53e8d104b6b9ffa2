from __future__ import annotations

import contextlib
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.tree import (
    MAX_DEPTH,
    MAX_HINTS,
    MAX_NODES,
    MAX_PROBLEMS,
    Malformed,
    Node,
    Problems,
    nearest,
    plain_scalar,
    read_toml,
    read_yaml,
    render,
)
from dragoman.errors import ConfigError


def plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {name: plain(inner) for name, inner in node.value.items()}
    if isinstance(node.value, list):
        return [plain(inner) for inner in node.value]
    return node.value


def test_yaml_values_and_lines() -> None:
    root = read_yaml("a: 1\nb:\n  - x\n  - {c: true, d: }\n'e': \"2\"\n")
    assert plain(root) == {"a": 1, "b": ["x", {"c": True, "d": None}], "e": "2"}
    assert root.key_lines == {"a": 1, "b": 2, "e": 5}
    assert isinstance(root.value, dict)
    inner = root.value["b"].value
    assert isinstance(inner, list)
    assert [one.line for one in inner] == [3, 4]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n"])
def test_an_empty_yaml_is_an_empty_mapping(text: str) -> None:
    assert plain(read_yaml(text)) in ({}, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("0", 0), ("-12", -12),
        ("+3", 3), ("0x1F", 31), ("0o17", 15), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-2.", -2.0),
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("1:30", "1:30"), ("1_000", "1_000"), ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"), (".nan", ".nan"), ("0x", "0x"), ("1.2.3", "1.2.3"), ("٣", "٣"), ("9" * 41, "9" * 41),
    ],
)  # fmt: skip
def test_plain_scalars_are_yaml_1_2(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text() -> None:
    assert plain(read_yaml("a: \"1\"\nb: 'true'\nc: |\n  5\nd: !!str 7\n")) == {
        "a": "1", "b": "true", "c": "5\n", "d": "7",
    }  # fmt: skip


def test_anchors_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo:\n  <<: [{y: 8}, *b]\nlist: [*b]\n"
    assert plain(read_yaml(text)) == {
        "base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"y": 8, "x": 1}, "list": [{"x": 1, "y": 2}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [1\n", 3, "expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3\n", 3, '"a" is here twice: first on line 1'),
        ("x:\n  k: {q: 1, q: 2}\n", 2, '"q" is here twice'),
        ("a: *nope\n", 1, "*nope names nothing"),
        ("a: &a [*a]\n", 1, "*a stands inside what it names"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !env X\n", 1, "tag"),
        ("a: !x {b: 1}\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [a]\n: 1\n", 1, "key must be text"),
        ("b: &b k\n? *b\n: 1\n", 2, "key must be text"),
        ("a: {<<: 3}\n", 1, "<< takes a mapping"),
        ("a:\n\t- x\n", 2, "cannot start any token"),
        ("a: \x01\n", 0, "not YAML"),
        ("a: {b: ${C}}\n", 1, 'within { } or [ ] put "${...}" in quotes'),
    ],
)
def test_yaml_that_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_yaml(text)
    assert message in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_neither_passes_nor_kills_the_process(text: str) -> None:
    with pytest.raises(Malformed):
        read_yaml(text)


def test_depth_is_allowed_up_to_its_limit() -> None:
    read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(Malformed, match="nested deeper"):
        read_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    read_toml("a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(Malformed, match="nested deeper"):
        read_toml("a = " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(Malformed):
        read_toml("a = " + "[" * 100_000)


def test_an_alias_bomb_is_refused_in_few_steps() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(Malformed, match="more than") as caught:
        read_yaml("\n".join(lines))
    assert caught.value.line <= 7


def test_many_values_are_allowed_up_to_the_limit() -> None:
    items = MAX_NODES - 1
    assert read_yaml("[" + "x," * items + "]").size == MAX_NODES
    with pytest.raises(Malformed, match="more than"):
        read_yaml("[" + "x," * (items + 1) + "]")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_yaml, read_toml):
        with contextlib.suppress(Malformed):
            read(text)


def test_toml_values() -> None:
    text = 'a = 1\nb = [true, {c = "x"}]\nat = 2027-01-31T00:00:00Z\nday = 2027-01-31\n[t]\nf = 1.5\n'
    assert plain(read_toml(text)) == {
        "a": 1, "b": [True, {"c": "x"}], "at": "2027-01-31T00:00:00+00:00", "day": "2027-01-31", "t": {"f": 1.5},
    }  # fmt: skip
    assert datetime.datetime.fromisoformat("2027-01-31T00:00:00+00:00").tzinfo is not None


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("[x]\n[x]\n", 2), ("a", 0)])
def test_toml_that_is_refused_says_its_line(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        read_toml(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("keys", 0, "name"), "keys[0].name"),
        (("routes", "gpt-4.1", "tiers", 0, 1), 'routes."gpt-4.1".tiers[0][1]'),
        (("providers", "a\nb"), "providers.'a\\nb'"),
        ((), ""),
    ],
)
def test_paths_are_written_as_people_do(path: tuple[str | int, ...], text: str) -> None:
    assert render(path) == text


def test_nearest() -> None:
    names = ["base_url", "api_key", "headers"]
    assert nearest("basurl", names) == '; did you mean "base_url"?'
    assert nearest("API_KEY", names) == '; did you mean "api_key"?'
    assert nearest("zzz", names) == ""


class TestProblems:
    def test_they_come_in_the_order_of_the_file(self) -> None:
        problems = Problems("f.yaml", read_yaml("a: 1\nb:\n  c: 2\n"))
        problems.add(("b", "c"), "second")
        problems.add(("b", "missing"), "around")
        problems.add(("a",), "first")
        with pytest.raises(ConfigError) as caught:
            problems.raise_if_any()
        assert caught.value.problems == [
            "f.yaml:1: a: first", "f.yaml:2: b.missing: around", "f.yaml:3: b.c: second",
        ]  # fmt: skip

    def test_what_follows_from_a_hole_is_not_told(self) -> None:
        problems = Problems("f", Node({}))
        problems.add_hole(("a", "b"), "unreadable")
        problems.add(("a", "b"), "again")
        problems.add(("a", "b", 0), "inside")
        problems.add(("a",), "around")
        assert len(problems) == 2

    def test_a_substituted_value_is_shown_as_written(self) -> None:
        problems = Problems("f", read_yaml("a: ${SECRET}\nb: x\n"))
        assert problems.spell(("a",), "hunter2") == '"${SECRET}"'
        assert problems.spell(("b",), "x") == '"x"'
        assert problems.spell(("b",), "x\n") == "'x\\n'"

    def test_their_number_is_bounded(self) -> None:
        problems = Problems("f", Node({}))
        for place in range(MAX_PROBLEMS + 5):
            problems.add((f"p{place}",), "bad")
        with pytest.raises(ConfigError) as caught:
            problems.raise_if_any()
        assert len(caught.value.problems) == MAX_PROBLEMS + 1
        assert caught.value.problems[-1] == "f: and 5 more"

    def test_hints_end_after_some(self) -> None:
        problems = Problems("f", Node({}))
        hints = [problems.hint("port", ["prot"]) for _ in range(MAX_HINTS + 1)]
        assert set(hints[:-1]) == {'; did you mean "prot"?'}
        assert hints[-1] == ""

    def test_none_is_good(self) -> None:
        Problems("f", Node({})).raise_if_any()
