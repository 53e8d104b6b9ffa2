from __future__ import annotations

from dragoman.config.part import SECRET, Part


class Sample(Part, frozen=True, kw_only=True):
    """A mapping with a secret."""

    api_key: str = ""
    name: str = ""


def test_a_repr_leaves_secrets_out() -> None:
    assert "api_key" in SECRET
    assert repr(Sample(api_key="hunter2", name="a")) == "Sample(api_key=..., name='a')"
    assert repr(Sample()) == "Sample(api_key='', name='')"
