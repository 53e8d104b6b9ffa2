from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dragoman.config.called import Judge, Presidio, Webhook
from dragoman.config.load import load_config
from dragoman.errors import ConfigError


def test_what_may_be_private_has_to_be_said_but_for_what_always_is() -> None:
    assert (Webhook(url="u").allow_private, Presidio(url="u").allow_private) == (False, True)


@pytest.mark.parametrize("fields", [{}, {"model": "m", "shape": "guess"}, {"model": 5}])
def test_what_a_judge_may_not_be(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, Judge)


def test_a_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(
        Webhook(url="https://example.com", secret="s3cret", headers={"authorization": "s3cret"})
    )


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "https://user:pw@example.com"])
def test_a_url_is_one(tmp_path: Path, url: str) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(f"guardrails:\n  g:\n    webhook: {{url: '{url}'}}\n")
    with pytest.raises(ConfigError) as refused:
        load_config(path, {})
    assert "guardrails.g.webhook.url" in "\n".join(refused.value.problems)
