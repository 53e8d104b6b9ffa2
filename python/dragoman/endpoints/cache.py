"""``/v1/cache``: what is kept, and its being forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from dragoman.cache.serve import LABELS
from dragoman.endpoints.answers import json_answer
from dragoman.errors import Forbidden, InvalidRequest, MethodNotAllowed

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = "/v1/cache"


class Cache:
    """What is kept: an admin sees all of it, and forgets any; a key forgets what it has asked itself."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """GET tells how much there is, DELETE forgets what the query names."""
        principal = self.gateway.authenticate(request)
        is_admin = principal.admin or self.gateway.keys.is_open
        if request.method == "GET":
            if not is_admin:
                raise Forbidden("How much is kept is for keys with admin.", code="admin_only")
            told = self._told()
        elif request.method == "DELETE":
            told = {"object": "cache.purged", "purged": self._purge(request.query, principal, is_admin=is_admin)}
            trail = self.gateway.auditor.trail
            trail.act("cache.purge", key_id=principal.key_id, address=request.client, query=request.query[:512])
        else:
            raise MethodNotAllowed(f"{PATH} takes GET and DELETE.")
        json_answer(request, told, snapshot=self.gateway.snapshot.number)

    def _told(self) -> dict[str, Any]:
        config, answers = self.gateway.snapshot.config.cache, self.gateway.answers
        figures = {"answers": len(answers), "bytes": answers.bytes, "in_flight": len(answers.flights)}
        semantic = [
            {
                "model": alias,
                "namespace": namespace,
                "hits": watch.hits,
                "checked": watch.checked,
                "wrong": watch.wrong,
                "wrong_share": watch.wrong_share,
                "target_wrong_share": watch.rule.target_wrong_share,
                "least_score": round(watch.least_score, 4),
            }
            for (alias, namespace), watch in list(answers.semantics.watches.known.items())
        ]
        told = {"object": "cache", "mode": config.mode, "scope": config.scope, **figures}
        return {**told, "max_bytes": config.max_bytes, "questions": len(answers.semantics.index), "semantic": semantic}

    def _purge(self, query: str, principal: Principal, *, is_admin: bool) -> int:
        wanted = dict(parse_qsl(query, keep_blank_values=True))
        unknown = wanted.keys() - {*LABELS, "all"}
        if unknown:
            raise InvalidRequest(f"What is forgotten is named by {', '.join(LABELS)}.", param=min(unknown))
        everything = wanted.pop("all", "") == "true"
        if not wanted and not everything:
            message = f"Name what is to be forgotten by {', '.join(LABELS)}, or say all=true."
            raise InvalidRequest(message, param="all")
        if not is_admin:
            wanted["key"] = principal.key_id
        return self.gateway.answers.purge([f"{name}:{value}" for name, value in wanted.items()])
