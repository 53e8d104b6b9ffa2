from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.served import Served

from dragoman.endpoints.table import build_router
from dragoman.errors import RequestError

SERVED = [
    ("POST", "/v1/chat/completions", "Generate"),
    ("POST", "/v1/completions", "Generate"),
    ("POST", "/v1/embeddings", "Generate"),
    ("GET", "/v1/models", "Models"),
    ("GET", "/v1/models/openai/gpt-4o", "Models"),
    ("GET", "/v1/requests/req_1", "Requests"),
    ("POST", "/v1/explain", "Explain"),
    ("GET", "/healthz", "Health"),
    ("GET", "/readyz", "Ready"),
    ("GET", "/metrics", "Exposition"),
    ("POST", "/rehearsal/v1/chat/completions", "Rehearse"),
    ("POST", "/v1/images/generations", "PassThrough"),
    ("GET", "/v1/files", "PassThrough"),
    ("GET", "/v1/chat/completions", "PassThrough"),
    ("GET", "/v1/chat/completions/chatcmpl-1/messages", "PassThrough"),
    ("POST", "/v1/responses", "Generate"),
    ("POST", "/v1/messages", "Generate"),
    ("POST", "/v1/messages/count_tokens", "CountTokens"),
    ("POST", "/v1beta/models/gemini-2.5-pro:generateContent", "GenerateByPath"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent", "GenerateByPath"),
    ("POST", "/model/anthropic.claude/converse-stream", "GenerateByPath"),
    ("POST", "/v1/batches", "PassThrough"),
]


@pytest.mark.parametrize(("method", "path", "name"), SERVED)
def test_each_path_has_its_endpoint(served: Served, method: str, path: str, name: str) -> None:
    request: Any = SimpleNamespace(method=method, path=path)
    assert type(build_router(served.gateway).find(request)).__name__ == name


@pytest.mark.parametrize(("method", "path", "name"), SERVED)
def test_only_probes_are_answered_while_all_slots_are_taken(served: Served, method: str, path: str, name: str) -> None:
    request: Any = SimpleNamespace(method=method, path=path)
    always = build_router(served.gateway).find(request).always
    assert always == (name in {"Health", "Ready", "Exposition", "Rehearse"})


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/models", "/admin", "/rehearsal", "/docs", "/.env"])
def test_nothing_else_is_served(served: Served, path: str) -> None:
    request: Any = SimpleNamespace(method="GET", path=path)
    with pytest.raises(RequestError):
        build_router(served.gateway).find(request)
