from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.access.secret import create_secret
from dragoman.config.load import Overrides
from dragoman.config.schema import Key
from dragoman.errors import ConfigError
from dragoman.settings import check_key, find_config, load_settings


def test_the_usual_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None) is None
    (tmp_path / "dragoman.yaml").write_text("")
    assert find_config(None) == Path("dragoman.yaml")
    assert find_config(Path("other.yaml")) == Path("other.yaml")


def test_the_environment_becomes_providers() -> None:
    config = load_settings(None, {"OPENAI_API_KEY": "a", "GROQ_API_KEY": "b"}, Overrides(port=1))
    assert set(config.providers) == {"openai", "groq"}
    assert config.server.port == 1
    assert load_settings(None, {}).rehearsal.enabled is True


def test_the_environment_alone_never_stops_the_start() -> None:
    from dragoman.providers.catalogue import rows

    everything = {name: "value" for kind in rows().values() for name in kind.env}
    config = load_settings(None, everything)
    assert len(config.providers) >= 150


def test_keys_are_checked_as_they_will_be_used(tmp_path: Path) -> None:
    assert check_key(Key(name="a", secret=create_secret())) == []
    path = tmp_path / "dragoman.yaml"
    path.write_text("keys:\n  - {name: a, secret: dgk_typo}\n  - {name: b}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    first, second = caught.value.problems
    assert first.startswith(f"{path}:2: keys[0]: secret: ")
    assert second.startswith(f"{path}:3: keys[1]: ")
