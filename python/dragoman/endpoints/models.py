"""``GET /v1/models`` and each of its items, and ``/api/tags``: what the key may use, as the caller's dialect lists it.

``?all=true`` lists every model that is known, those of providers that are not configured too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from dragoman.config.resolve import REHEARSAL
from dragoman.endpoints.answers import json_answer
from dragoman.errors import MethodNotAllowed, NotFound
from dragoman.usage.listing import Listed, listing

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.routing.build import Snapshot
    from dragoman.server.request import Request

PREFIX = "/v1/models/"
GEMINI = "/v1beta/models"
OLLAMA = "/api/tags"
# What a gateway without any model still answers to.
REHEARSAL_MODELS = ("rehearsal/demo", "rehearsal/embedding")
GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


class Models:
    """The list, and each of its items."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._listed: tuple[int, dict[str, Listed]] = (0, {})  # of which snapshot

    async def serve(self, request: Request) -> None:
        """Answer from the snapshot."""
        if request.method != "GET":
            raise MethodNotAllowed(f"{request.path} takes GET.")
        principal = self.gateway.authenticate(request)
        snapshot = self.gateway.snapshot
        everything = parse_qs(request.query).get("all", [""])[0].lower() in ("1", "true")
        found = models(snapshot, self._known(snapshot), principal, everything=everything)
        if request.path == OLLAMA:
            shown = [_shown_for_ollama(model, snapshot.built_at_s) for model in found.values()]
            json_answer(request, {"models": shown}, snapshot=snapshot.number)
            return
        gemini = _is_google(request)
        alias = request.path.removeprefix(GEMINI + "/").removeprefix(PREFIX)
        one = _shown_for_gemini if gemini else _shown_for_anthropic if _is_anthropic(request) else _shown_for_openai
        if request.path in (GEMINI, "/v1/models"):
            shown = [one(model, snapshot.built_at_s) for model in found.values()]
            answer = {"models": shown} if gemini else _list_for_anthropic(shown) if _is_anthropic(request) else None
            json_answer(request, answer or {"object": "list", "data": shown}, snapshot=snapshot.number)
            return
        if not snapshot.offers(alias, principal) or not known(snapshot, alias):
            raise NotFound(f"The model {alias!r} does not exist here.", code="model_not_found", param="model")
        model = found.get(alias) or Listed(alias, alias.partition("/")[0], alias, configured=True)
        json_answer(request, one(model, snapshot.built_at_s), snapshot=snapshot.number)

    def _known(self, snapshot: Snapshot) -> dict[str, Listed]:
        number, listed = self._listed
        if number != snapshot.number:
            listed = {one.name: one for one in listing(snapshot.config, self.gateway.prices)}
            self._listed = (snapshot.number, listed)
        return listed


def models(
    snapshot: Snapshot, listed: dict[str, Listed], principal: Principal, *, everything: bool = False
) -> dict[str, Listed]:
    """What the key may send as ``model``, routes first; ``everything``: and what is known but not configured."""
    found: dict[str, Listed] = {}
    for alias, plan in snapshot.plans.items():
        first = plan.first
        like = listed.get(alias) or listed.get(f"{first.provider}/{first.model}")
        found[alias] = (
            Listed(alias, first.provider, first.model, configured=True) if like is None else like.named(alias)
        )
    if snapshot.config.rehearsal.enabled:
        for name in REHEARSAL_MODELS:
            found.setdefault(name, Listed(name, REHEARSAL, name.partition("/")[2], configured=True))
    for name, one in listed.items():
        if one.configured or everything:
            found.setdefault(name, one)
    return {name: one for name, one in found.items() if snapshot.offers(name, principal)}


def known(snapshot: Snapshot, alias: str) -> bool:
    """Whether a request for the alias would find a plan."""
    if alias in snapshot.plans:
        return True
    provider, slash, model = alias.partition("/")
    configured = provider in snapshot.config.providers or (provider == REHEARSAL and snapshot.config.rehearsal.enabled)
    return bool(slash and model and configured)


def _is_google(request: Request) -> bool:
    """By its path, or by its SDK's headers: both versions of the API have the path that others have."""
    return request.path.startswith(GEMINI) or not {"x-goog-api-client", "x-goog-api-key"}.isdisjoint(request.headers)


def _is_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.headers


def _shown_for_openai(model: Listed, created_s: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": model.name,
        "object": "model",
        "created": created_s,
        "owned_by": model.provider,
        "configured": model.configured,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output,
    }
    if model.reads:
        shown["capabilities"] = {
            "input_modalities": model.reads,
            "output_modalities": model.writes,
            "tools": model.tools,
            "reasoning": model.reasoning,
        }
    if model.input_usd_mtok is not None:
        shown["pricing"] = {
            "input_usd_mtok": model.input_usd_mtok,
            "cached_input_usd_mtok": model.cached_input_usd_mtok,
            "output_usd_mtok": model.output_usd_mtok,
        }
    return shown


def _shown_for_anthropic(model: Listed, created_s: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = {"type": "model", "id": model.name, "display_name": model.name, "created_at": created}
    limits = {"max_input_tokens": model.context_window, "max_tokens": model.max_output}
    return shown | {name: limit for name, limit in limits.items() if limit}


def _list_for_anthropic(shown: list[dict[str, Any]]) -> dict[str, Any]:
    ends = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return {"data": shown, "has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _shown_for_ollama(model: Listed, created_s: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    details = {"family": model.provider, "families": [model.provider], "parameter_size": "", "quantization_level": ""}
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": created,
        "size": 0,
        "digest": "",
        "details": details,
    }


def _shown_for_gemini(model: Listed, created_s: int) -> dict[str, Any]:
    shown = {"name": f"models/{model.name}", "displayName": model.name, "version": str(created_s)}
    known = {"inputTokenLimit": model.context_window, "outputTokenLimit": model.max_output}
    limits = {name: limit for name, limit in known.items() if limit}
    return shown | limits | {"supportedGenerationMethods": list(GEMINI_METHODS)}
