from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.config.load import Overrides
from dragoman.config.schema import Config, Key, Provider, Rehearsal, Route, Server
from dragoman.errors import ConfigError
from dragoman.server.run import banner, run
from dragoman.server.spec import SPEC_VARIABLE, WorkerSpec
from dragoman.server.supervise import ADDRESS_VARIABLE, BANNER_VARIABLE

Became = tuple[str, list[str], dict[str, str]]


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[Became]:
    """What this process would have become."""
    seen: list[Became] = []
    monkeypatch.setattr(os, "execve", lambda *program: seen.append(program))
    return seen


def test_it_becomes_the_supervisor_told_where_and_what(
    became: list[Became], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINE", "kept")
    config = Config(server=Server(host="localhost", port=0, log_level="error"), rehearsal=Rehearsal(enabled=True))
    run(config, Path("mine.yaml"), Overrides(data_dir="d"))
    ((program, arguments, environ),) = became
    assert (program, arguments) == (sys.executable, [sys.executable, "-m", "dragoman.server.supervise"])
    spec = msgspec.json.decode(environ[SPEC_VARIABLE], type=WorkerSpec)
    assert spec.address in {"127.0.0.1", "::1"}
    assert spec.port > 0
    assert spec.overrides == Overrides(data_dir="d", port=spec.port)
    assert (spec.config_path, spec.log_level) == (str(tmp_path / "mine.yaml"), "error")
    assert f":{spec.port}/v1" in environ[BANNER_VARIABLE]
    assert environ[ADDRESS_VARIABLE] == f"{spec.address} {spec.port}"
    assert environ["MINE"] == "kept"


@pytest.mark.parametrize("host", ["256.0.0.1", "no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_none_of_ours(became: list[Became], host: str) -> None:
    with pytest.raises(ConfigError) as raised:
        run(Config(server=Server(host=host, port=0)), None, Overrides())
    assert "server." in str(raised.value)
    assert became == []


def test_a_port_that_is_taken(became: list[Became]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(ConfigError) as raised:
            run(Config(server=Server(port=port)), None, Overrides())
    assert f"127.0.0.1:{port} cannot be listened on" in str(raised.value)


def shown(address: str = "127.0.0.1", **fields: Any) -> str:
    return banner(Config(**fields), address, 8080)


def test_the_lines_name_a_model_that_answers() -> None:
    assert '"rehearsal/demo"' in shown(rehearsal=Rehearsal(enabled=True))
    assert '"openai/gpt-' in shown(providers={"openai": Provider()})
    assert '"mine/MODEL"' in shown(providers={"mine": Provider()})
    assert '"PROVIDER/MODEL"' in shown(rehearsal=Rehearsal(enabled=False))
    routed = shown(providers={"openai": Provider()}, routes={"fast": Route(tiers=(("openai/gpt-5",),))})
    assert '"fast"' in routed
    assert "(providers: openai)" in routed


def test_a_key_is_asked_for_where_one_is_needed() -> None:
    assert "Authorization" not in shown()
    assert "$DRAGOMAN_KEY" in shown(keys=(Key(name="k"),))
    assert "$DRAGOMAN_KEY" in shown(server=Server(host="10.0.0.1"))


@pytest.mark.parametrize(
    ("address", "host"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]")],
)
def test_the_address_works_as_pasted(address: str, host: str) -> None:
    assert f"http://{host}:8080/v1" in shown(address)


def test_the_snippet_is_python() -> None:
    snippet = re.search(r"<<'END'\n(.*?)\n +END", shown(), re.DOTALL)
    assert snippet is not None
    compile("\n".join(line[2:] for line in snippet[1].splitlines()), "snippet", "exec")
