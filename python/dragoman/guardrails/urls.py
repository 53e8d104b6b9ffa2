"""Hosts that texts lead to: an image that Markdown shows is asked for without anybody's clicking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dragoman.core import Masker, Pattern
from dragoman.guardrails.sieve import Sought
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.guards import Urls
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?/{0,2}(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)", re.IGNORECASE)
# What is shown without being asked for, and where it is to be found.
IMAGES = {
    "markdown": r"!\[[^\]]*\]\(\s*<?[^\s)>]+",
    "html": r"(?i)<img[^>]*?src\s*=\s*[\"']?[^\s\"'>]+",
}
# Without one of these a text of plain characters has no URL, in no writing.
_SIGNS = Pattern(r"(?i)//|\\|%|&|www\.|[a-z0-9+/]{16}")
_BEFORE = re.compile(r".*[(<=\"'\s]", re.DOTALL)


class AllowedHosts:
    """The hosts of all URLs."""

    sought = Sought(beyond="ascii", signs=(_SIGNS,))

    def __init__(self, urls: Urls) -> None:
        self._names = frozenset(name.lower() for name in urls.allow if not name.startswith("*."))
        self._below = tuple(name[1:].lower() for name in urls.allow if name.startswith("*."))
        self._finder = Masker(entities=["URL"])
        self._images = Masker(entities=["CUSTOM"], patterns=IMAGES)

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """The first that is not allowed."""
        for passage in passages:
            if passage.text.isascii() and not _SIGNS.found(passage.text):
                continue
            for url in self._urls(passage.text):
                host = _host(url)
                if host and not self._allows(host):
                    return Finding(reason=f"a link to {host}", signals=(host,))
        return None

    def _urls(self, text: str) -> list[str]:
        found = [text[start:end] for _, _, start, end, _ in self._finder.find(text)]
        images = (_BEFORE.sub("", text[start:end]) for _, _, start, end, _ in self._images.find(text))
        return found + [url for url in images if url.startswith(("//", "\\", "http"))]

    def _allows(self, host: str) -> bool:
        return host in self._names or host.endswith(self._below or ("\0",))


def _host(url: str) -> str:
    match = _HOST.match(url.replace("\\", "/"))
    return "" if match is None else match[1].lower().rstrip(".")
