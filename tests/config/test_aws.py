from __future__ import annotations

from dragoman.config.aws import Aws


def test_with_nothing_it_is_what_aws_would_find() -> None:
    assert not any(getattr(Aws(), name) for name in Aws.__struct_fields__)


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(Aws(secret_access_key="s3cret", session_token="s3cret"))
