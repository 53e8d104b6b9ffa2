"""All paths in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.endpoints import cache, guardrails, keys, models, rehearse, requests, responses, usage
from dragoman.endpoints.admin import login, openapi
from dragoman.endpoints.admin.api import AdminApi
from dragoman.endpoints.admin.explain import Explain
from dragoman.endpoints.admin.operation import ROOT
from dragoman.endpoints.count_tokens import CountTokens
from dragoman.endpoints.figures import Exposition
from dragoman.endpoints.generate import Generate, GenerateByPath
from dragoman.endpoints.health import Health, Ready
from dragoman.endpoints.passthrough import PassThrough
from dragoman.endpoints.router import Router
from dragoman.endpoints.scim import serve as scim
from dragoman.endpoints.surfaces import BEDROCK_PATHS, CLAUDE_PATHS, FIXED, GEMINI_PATHS

if TYPE_CHECKING:
    from dragoman.gateway import Gateway


def build_admin_router(gateway: Gateway) -> Router:
    """The paths of the admin API, which has a listener of its own."""
    router = Router()
    router.add("GET", openapi.PATH, openapi.Document(gateway))
    api = AdminApi(gateway)
    router.add("GET", login.LOGIN, login.Begin(gateway))
    router.add("GET", login.CALLBACK, login.Finish(gateway))
    for method in ("GET", "DELETE"):
        router.add(method, login.SESSION, login.Session(gateway, api))
    router.add_prefix(f"{scim.ROOT}/", scim.Scim(gateway, api))
    router.add_prefix(f"{ROOT}/", api)
    return router


def build_router(gateway: Gateway) -> Router:
    """The paths that the gateway serves."""
    router = Router()
    passed_through = PassThrough(gateway)
    for path, surface in FIXED.items():
        router.add("POST", path, Generate(gateway, surface))
    router.add("POST", "/v1/messages/count_tokens", CountTokens(gateway, "anthropic"))
    router.add_pattern(GEMINI_PATHS, GenerateByPath(gateway))
    router.add_pattern(CLAUDE_PATHS, GenerateByPath(gateway))
    router.add_pattern(BEDROCK_PATHS, GenerateByPath(gateway))
    router.add("GET", "/v1/chat/completions", passed_through)  # the list of those that a provider has stored
    listed = models.Models(gateway)
    router.add("GET", "/v1/models", listed)
    router.add("GET", models.GEMINI, listed)
    router.add("GET", models.OLLAMA, listed)
    for prefix in (models.PREFIX, f"{models.GEMINI}/"):
        router.add_prefix(prefix, listed)
    router.add_prefix(requests.PREFIX, requests.Requests(gateway))
    router.add("POST", "/v1/explain", Explain(gateway))
    for method in ("GET", "DELETE"):
        router.add(method, cache.PATH, cache.Cache(gateway))
    router.add("POST", keys.PATH, keys.ChildKeys(gateway))
    router.add_prefix(keys.PREFIX, keys.ChildKeys(gateway))
    router.add("GET", usage.PATH, usage.OwnUsage(gateway))
    router.add("GET", guardrails.PATH, guardrails.Coverage(gateway))
    router.add("GET", "/healthz", Health(gateway))
    router.add("GET", "/readyz", Ready(gateway))
    router.add("GET", "/metrics", Exposition(gateway))
    router.add_prefix(responses.PREFIX, responses.StoredResponses(gateway, passed_through))
    router.add_prefix(rehearse.PREFIX, rehearse.Rehearse(gateway))
    router.add_prefix("/v1/", passed_through)
    return router
