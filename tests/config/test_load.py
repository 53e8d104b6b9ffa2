from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.config.load import Overrides, apply_overrides, load_config
from dragoman.config.schema import Config
from dragoman.config.tree import MAX_BYTES
from dragoman.errors import ConfigError

GOOD = """
server:
  port: 9000
providers:
  openai: {api_key: "${KEY}"}
deployments:
  big: {provider: openai, model: gpt-4.1}
routes:
  chat: {tiers: [[big], [openai/gpt-4.1-mini]]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dragoman.yaml"


def problems_of(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return caught.value.problems


def test_a_good_file(file: Path) -> None:
    file.write_text(GOOD)
    config = load_config(file, {"KEY": "sk-1"})
    assert config.server.port == 9000
    assert config.providers["openai"].api_key == "sk-1"
    assert config.routes["chat"].tiers == (("big",), ("openai/gpt-4.1-mini",))


def test_toml_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text('[server]\nport = 9000\n[providers.openai]\napi_key = "${KEY}"\n')
    assert load_config(path, {"KEY": "sk-1"}).server.port == 9000
    path.write_text("[server]\nport = \n")
    assert problems_of(path) == [f"{path}:2: Invalid value"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_file_is_the_defaults(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_config(file, {}) == Config() == load_config(None, {})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none.yaml") == [f"{tmp_path}/none.yaml: cannot be read: No such file or directory"]
    assert problems_of(tmp_path) == [f"{tmp_path}: is not a file"]
    os.mkfifo(tmp_path / "pipe")
    assert problems_of(tmp_path / "pipe") == [f"{tmp_path}/pipe: is not a file"]
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe9\n")
    assert problems_of(tmp_path / "latin") == [f"{tmp_path}/latin:2: is not UTF-8 text"]


def test_a_file_has_a_limit(file: Path) -> None:
    file.write_bytes(b"#" * MAX_BYTES)
    assert load_config(file, {}) == Config()
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert problems_of(file) == [f"{file}: is over {MAX_BYTES} bytes"]


def test_a_million_routes_are_refused(file: Path) -> None:
    file.write_text("routes:\n" + "".join(f"  r{n}: {{tiers: [[a/b]]}}\n" for n in range(1_000_000)))
    assert problems_of(file) == [f"{file}: is over {MAX_BYTES} bytes"]


def test_faults_of_every_stage_come_together(file: Path) -> None:
    file.write_text("server: {prot: 1}\nproviders: {p: {api_key: '${NONE}'}}\nroutes: {r: {tiers: [[gone]]}}\n")
    found = problems_of(file)
    assert [line.split(": ", 2)[1] for line in found] == ["server.prot", "providers.p.api_key", "routes.r.tiers[0][0]"]
    assert all(line.startswith(f"{file}:{number}: ") for number, line in enumerate(found, 1))


def test_a_file_beside_it_is_found(file: Path) -> None:
    file.with_name("secret").write_text("sk-2\n")
    file.write_text(GOOD.replace("${KEY}", "${file:secret}"))
    assert load_config(file, {}).providers["openai"].api_key == "sk-2"


def test_the_command_line_goes_first(file: Path) -> None:
    file.write_text("server: {port: 1, drain_s: 5}\nstore: {data_dir: /a}\n")
    overrides = Overrides(port=2, host="::1", data_dir="/b", log_level="debug")
    config = load_config(file, {}, overrides=overrides)
    assert (config.server.port, config.server.host, config.server.log_level) == (2, "::1", "debug")
    assert config.server.drain_s == 5.0
    assert config.store.data_dir == "/b"
    assert apply_overrides(Config(), Overrides()) == Config()


def test_what_other_layers_know_is_asked(file: Path) -> None:
    file.write_text("keys: [{name: a, secret: x}]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file, {}, check_key=lambda key: [f"{key.name} is bad"])
    assert caught.value.problems == [f"{file}:1: keys[0]: a is bad"]
