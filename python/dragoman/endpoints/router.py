"""Which endpoint a path belongs to: an exact table, then paths that name a model, then a few prefixes.

Paths are compared as they came. Anything unusual in one (escapes, doubled slashes, dots, parameters) matches nothing
and is a 404, so that what is authorised and what is dispatched cannot differ. Only a model's name may hold escapes, and
whoever takes it out of the path looks at what they stand for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from dragoman.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from dragoman.server.request import Request


class Endpoint(Protocol):
    """Something that answers requests."""

    always: bool  # answered while draining and when all slots are taken

    async def serve(self, request: Request) -> None:
        """Answer, or raise a RequestError."""


class Router:
    """The table of paths."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], Endpoint] = {}
        self._patterns: list[tuple[re.Pattern[str], Endpoint]] = []
        self._prefixes: list[tuple[str, Endpoint]] = []
        self._paths: set[str] = set()

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Serve exactly this path."""
        self._exact[method, path] = endpoint
        self._paths.add(path)

    def add_pattern(self, pattern: re.Pattern[str], endpoint: Endpoint) -> None:
        """Serve what is of that form, whatever the method."""
        self._patterns.append((pattern, endpoint))

    def add_prefix(self, prefix: str, endpoint: Endpoint) -> None:
        """Serve what begins with ``prefix`` and no exact path has, whatever the method. The first match counts."""
        self._prefixes.append((prefix, endpoint))

    def find(self, request: Request) -> Endpoint:
        """The endpoint of a request.

        Raises:
            NotFound: no such path.
            MethodNotAllowed: the path has other methods.
        """
        method, path = request.method, request.path
        endpoint = self._exact.get((method, path))
        if endpoint is not None:
            return endpoint
        if path in self._paths:
            raise MethodNotAllowed(f"{path} does not take {method}.")
        for pattern, candidate in self._patterns:
            if pattern.fullmatch(path):
                return candidate
        if "%" not in path and "//" not in path and "/." not in path and ";" not in path:
            for prefix, candidate in self._prefixes:
                if path.startswith(prefix):
                    return candidate
        raise NotFound(f"There is no {method} {path}.")
