from __future__ import annotations

from dragoman.config.schema import Config, Credential, Key, Provider


def test_a_repr_has_no_secret() -> None:
    config = Config(
        providers={"a": Provider(api_key="hunter2", headers={"x": "hunter2"}, proxy="http://u:hunter2@p")},
        keys=(Key(name="alice", secret="hunter2"),),
    )
    assert "hunter2" not in repr(config) + repr(Credential(key="hunter2"))
    assert "alice" in repr(config)
    assert "api_key=''" in repr(Provider())


def test_every_field_has_a_default_that_is_right_for_one_process() -> None:
    config = Config()
    assert config.server.host == "127.0.0.1"
    assert config.server.limits.max_body_bytes == 20 * 1024 * 1024
    assert config.rehearsal.enabled is None
