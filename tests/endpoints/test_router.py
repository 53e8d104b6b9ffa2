from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.endpoints.router import Router
from dragoman.errors import MethodNotAllowed, NotFound


class Named:
    """An endpoint that does nothing."""

    always = False

    def __init__(self, name: str) -> None:
        self.name = name

    async def serve(self, request: Any) -> None:
        """Nothing."""


@pytest.fixture
def router() -> Router:
    router = Router()
    router.add("POST", "/v1/chat/completions", Named("chat"))
    router.add("GET", "/v1/models", Named("models"))
    router.add("GET", "/healthz", Named("health"))
    router.add_prefix("/v1/models/", Named("model"))
    router.add_prefix("/v1/", Named("rest"))
    return router


def found(router: Router, method: str, path: str) -> str:
    request: Any = SimpleNamespace(method=method, path=path)
    endpoint: Any = router.find(request)
    return str(endpoint.name)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/chat/completions", "chat"),
        ("GET", "/v1/models", "models"),
        ("GET", "/v1/models/gpt-4o", "model"),
        ("GET", "/v1/models/openai/gpt-4o", "model"),
        ("DELETE", "/v1/models/ft:x", "model"),
        ("POST", "/v1/files", "rest"),
        ("POST", "/v1/chat/completions/", "rest"),
        ("GET", "/v1/files/file-1/content", "rest"),
    ],
)
def test_exact_paths_come_before_prefixes_and_these_in_order(router: Router, method: str, path: str, name: str) -> None:
    assert found(router, method, path) == name


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/chat/completions"), ("POST", "/healthz"), ("get", "/healthz")]
)
def test_another_method_of_a_known_path(router: Router, method: str, path: str) -> None:
    with pytest.raises(MethodNotAllowed):
        found(router, method, path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "/v1",
        "/V1/chat/completions",
        "/healthz/",
        "/healthz.",
        "//v1/chat/completions",
        "/v1//files",
        "/v1/../healthz",
        "/v1/./files",
        "/v1/chat/completions/../../files",
        "/v1/files;x=1",
        "/v1/%66iles",
        "/v1/.well-known",
        "http://other/v1/files",
    ],
)
def test_anything_unusual_is_not_found(router: Router, path: str) -> None:
    with pytest.raises(NotFound):
        found(router, "POST", path)
