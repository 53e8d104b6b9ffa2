from __future__ import annotations

import pytest

from dragoman.dialects.limits import duration, limit_headers


def test_openai_s_names() -> None:
    assert limit_headers("openai_chat", "requests", 10, -3, 61.5, 0) == [
        ("x-ratelimit-limit-requests", "10"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1m1.5s"),
    ]
    assert limit_headers("gemini", "tokens", 10, 4, None, 0) == [
        ("x-ratelimit-limit-tokens", "10"),
        ("x-ratelimit-remaining-tokens", "4"),
    ]


def test_anthropic_s_names() -> None:
    assert limit_headers("anthropic", "tokens", 10, 4, 60, 1_795_996_800) == [
        ("anthropic-ratelimit-tokens-limit", "10"),
        ("anthropic-ratelimit-tokens-remaining", "4"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-30T00:01:00Z"),
    ]
    assert len(limit_headers("vertex_claude", "tokens", 10, 4, None, 0)) == 2


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.017, "17ms"), (0, "0ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (3661, "61m1s")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
