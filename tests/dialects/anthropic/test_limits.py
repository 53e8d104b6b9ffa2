from __future__ import annotations

from dragoman.dialects.anthropic.limits import claude_headers


def test_names_and_times_are_anthropic_s() -> None:
    assert claude_headers((10, -3, None), (10, 4, 60), 1_795_996_800) == [
        ("anthropic-ratelimit-requests-limit", "10"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-tokens-limit", "10"),
        ("anthropic-ratelimit-tokens-remaining", "4"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-30T00:01:00Z"),
    ]
    assert claude_headers(None, None) == []
