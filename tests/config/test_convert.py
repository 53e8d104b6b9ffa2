from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dragoman.config.convert import convert
from dragoman.config.environ import Substitution
from dragoman.config.schema import Config
from dragoman.config.tree import Node, Problems, read_toml, read_yaml
from dragoman.errors import ConfigError

ENVIRON = {"PORT": "9000", "HALF": "0.5", "ON": "true", "WORD": "hunter2", "KEY": "123"}


def read(text: str) -> Config:
    root = read_yaml(text)
    problems = Problems("f", root)
    config = convert(root, Config, Substitution(ENVIRON, Path()), problems)
    problems.raise_if_any()
    return config


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


GOOD = """
server: {port: 1, limits: {body_timeout_s: 5}, metrics: false}
store:
providers:
  a: {credentials: [{key: x}, {key: y, weight: 2}], headers: {h: v}, timeouts: {idle_s: 1.5}}
  b:
deployments:
  d: {provider: a, model: m, price: {input_usd_mtok: 1, output_usd_mtok: 2.5}, max_concurrent: 3, timeouts: null}
routes:
  r: {tiers: [[d], [a/m]], strategy: session, hedge: {}}
keys: [{name: k, secret: s, tags: [x, y]}]
rehearsal: {script: {refuse: {status: 503}, chance: 0.5, list: [1, null]}}
"""


def test_the_walk_agrees_with_msgspec() -> None:
    def plain(node: Node) -> object:
        if isinstance(node.value, dict):
            return {name: plain(inner) for name, inner in node.value.items()}
        return [plain(inner) for inner in node.value] if isinstance(node.value, list) else node.value

    document = plain(read_yaml(GOOD))
    assert isinstance(document, dict)
    document["store"] = {}  # an empty section is its defaults, which msgspec does not know
    document["providers"]["b"] = {}
    assert read(GOOD) == msgspec.convert(document, Config, strict=True)


def test_toml_and_yaml_are_one() -> None:
    text = '[server]\nport = 1\n[[keys]]\nname = "k"\nexpires = 2027-01-31T00:00:00Z\n'
    root = read_toml(text)
    problems = Problems("f", root)
    config = convert(root, Config, Substitution({}, Path()), problems)
    assert config == read("server: {port: 1}\nkeys: [{name: k, expires: '2027-01-31T00:00:00+00:00'}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz: 1", 'f:1: zzz: unknown field; known here: server, admin, store, redis, defaults, providers'),
        ("server: {hots: 1}", 'f:1: server.hots: unknown field; did you mean "host"?'),
        ("server: {port: '80'}", "f:1: server.port: expected int, got str"),
        ("server: {port: 70000}", "f:1: server.port: expected int <= 65535"),
        ("server: {port: 1.5}", "f:1: server.port: expected int, got float"),
        ("server: {port: }", "f:1: server.port: is empty"),
        ("server: {port: [1]}", "f:1: server.port: expected a number, not a list"),
        ("server: {metrics: yes}", "f:1: server.metrics: expected bool, got str: write true or false"),
        ("server: {host: 127}", "f:1: server.host: expected str, got int: put it in quotes"),
        ("server: {drain_s: 0}", "f:1: server.drain_s: expected float > 0.0"),
        ("server: {drain_s: 1e999}", "f:1: server.drain_s: must be a finite number"),
        ("server: {log_level: wran}", 'f:1: server.log_level: "wran" is not one of debug, info, warning, error'),
        ("server: 5", "f:1: server: expected a mapping, not a number"),
        ("[]", "f:1: expected a mapping, not a list"),
        ("keys: {}", "f:1: keys: expected a list, not a mapping"),
        ("keys: [a]", "f:1: keys[0]: expected a mapping, not text"),
        ("keys: [{secret: x}]", "f:1: keys[0].name: is missing"),
        ("providers: {a: {headers: {x: 1}}}", "f:1: providers.a.headers.x: expected str, got int"),
        ("routes:\n  r:\n    tiers: [d]", "f:3: routes.r.tiers[0]: expected a list, not text"),
        ("defaults: {retries: '${NONE}'}", "f:1: defaults.retries: the environment variable NONE is not set"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, message: str) -> None:
    found = problems_of(text)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_every_fault_is_told_at_once() -> None:
    text = "server: {hots: 1, port: x}\ndeployments:\n  a: {provider: p}\n  b: {model: 3}\nnope: 1\n"
    assert len(problems_of(text)) == 6


def test_a_substituted_value_is_what_the_field_wants() -> None:
    config = read(
        "server: {port: '${PORT}', metrics: '${ON}', drain_s: \"${HALF}\"}\n"
        "providers: {a: {api_key: '${KEY}'}, b: {api_key: 'x-${KEY}'}}\n"
        "rehearsal: {script: {text: 'say ${KEY}'}}"
    )
    assert (config.server.port, config.server.metrics, config.server.drain_s) == (9000, True, 0.5)
    assert config.providers["a"].api_key == "123"
    assert config.providers["b"].api_key == "x-123"
    assert config.rehearsal.script == {"text": "say 123"}


@pytest.mark.parametrize("field", ["port", "log_level", "metrics", "drain_s"])
def test_a_substituted_value_is_never_told(field: str) -> None:
    (found,) = problems_of(f"server: {{{field}: '${{WORD}}'}}")
    assert "hunter2" not in found
    assert "${WORD}" in found
