from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.canonical import Family, Proof
from dragoman.dialects.continuity import TAG, bare, family_of, readable, seal, unseal

OWN = Proof(kind="signature", value="own", family="anthropic")


@given(st.text(max_size=200), st.sampled_from(["signature", "redacted", "encrypted", "thought"]))
def test_what_is_sealed_comes_back(value: str, kind: str) -> None:
    proof = Proof(kind=kind, value=value, family="google", model="gemini-3", call_id="c")  # type: ignore[arg-type]
    sealed = seal(proof)
    assert unseal(sealed, OWN) == proof
    base64.b64decode(sealed, validate=True)


@given(st.text(max_size=64))
def test_anything_else_is_the_dialect_s_own(text: str) -> None:
    assert unseal(text, OWN) is OWN
    assert unseal(TAG + text, OWN) is OWN or text == ""


@pytest.mark.parametrize("text", [TAG, TAG + "e30=", TAG + "bnVsbA==", TAG + "!", TAG + "A" * 600_000])
def test_a_seal_that_is_broken_is_the_dialect_s_own(text: str) -> None:
    assert unseal(text, OWN) is OWN


def test_edge_12_a_proof_is_read_by_its_own_model_alone() -> None:
    proof = Proof(kind="signature", value="s", family="anthropic", model="claude-opus-5")
    assert readable(proof, "anthropic", "us.anthropic.claude-opus-5-v1:0") is proof
    assert readable(proof, "anthropic", "claude-sonnet-5") is None
    assert readable(proof, "google", "claude-opus-5") is None
    assert readable(OWN, "anthropic", "claude-sonnet-5") is OWN, "where the model is not known, the family counts"
    assert readable(None, "anthropic", "x") is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("us.anthropic.claude-sonnet-4-5-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("models/gemini-3-pro", "gemini-3-pro"),
        ("openai/gpt-5", "gpt-5"),
    ],
)
def test_a_model_s_bare_name(written: str, name: str) -> None:
    assert bare(written) == name


@pytest.mark.parametrize(
    ("provider", "model", "family"),
    [
        ("bedrock", "us.anthropic.claude-opus-5-v1:0", "anthropic"),
        ("openrouter", "anthropic/claude-opus-5", "anthropic"),
        ("vertex", "gemini-3-pro", "google"),
        ("azure", "o3-mini", "openai"),
        ("azure", "my-deployment", ""),
        ("openai", "my-tuned-model", "openai"),
        ("xai", "grok-4", "xai"),
        ("groq", "llama-3", ""),
    ],
)
def test_a_model_s_family(provider: str, model: str, family: Family) -> None:
    assert family_of(provider, model) == family
