"""``POST /v1/keys``: a short-lived key that may do less than the one that asks; ``DELETE /v1/keys/{id}``: its end."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from dragoman.access.children import MOST_LIVING, Wanted, child_of
from dragoman.access.declared import principal_of
from dragoman.access.stored import CreatedKey, count_children, create_key, is_child, revoke_key
from dragoman.driver import OnLoop
from dragoman.endpoints.answers import json_answer
from dragoman.errors import (
    ConfigError,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    MethodNotAllowed,
    NameTaken,
    NotFound,
    Overloaded,
    StoreError,
)

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.schema import Key
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = "/v1/keys"
PREFIX = f"{PATH}/"


class ChildKeys:
    """Keys made and ended by the key that they descend from."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Make one, or end one."""
        principal = self.gateway.authenticate(request)
        principal.permit("keys")
        if not principal.key_id.startswith("key_"):
            raise Forbidden("Only a key that is stored makes others: dragoman keys create.", code="not_a_stored_key")
        if request.method == "POST" and request.path == PATH:
            await self._create(request, principal)
        elif request.method == "DELETE" and request.path != PATH:
            await self._revoke(request, principal)
        else:
            raise MethodNotAllowed(f"{request.path} does not take {request.method}.")

    async def _create(self, request: Request, principal: Principal) -> None:
        raw = await self.gateway.read_body(request)
        try:
            wanted = msgspec.json.decode(raw or b"{}", type=Wanted)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"The body cannot be used: {error}.") from None
        now_ms = time.time_ns() // 1_000_000
        expires = datetime.fromtimestamp(now_ms / 1000 + wanted.ttl_s, UTC).isoformat(timespec="milliseconds")
        name = f"{wanted.name or principal.name[:64]}~{secrets.token_hex(6)}"
        key = child_of(principal, wanted, name, expires)
        made: list[CreatedKey] = []
        await OnLoop(self._on_thread(made, principal, key, now_ms))
        self.gateway.keys.learn(
            bytes.fromhex(made[0].hash), replace(principal_of(key, key_id=made[0].key.id), parent=principal)
        )
        json_answer(request, _shown(made[0], key), status=201, snapshot=self.gateway.snapshot.number)

    async def _on_thread(self, made: list[CreatedKey], principal: Principal, key: Key, now_ms: int) -> None:
        made.append(await asyncio.to_thread(self._make, principal, key, now_ms))

    def _make(self, principal: Principal, key: Key, now_ms: int) -> CreatedKey:
        engine = self.gateway.store.engine
        try:
            if count_children(engine, principal.key_id, now_ms=now_ms) >= MOST_LIVING:
                message = f"A key has at most {MOST_LIVING} keys of its own at a time; end some, or let them expire."
                raise LimitExceeded(message, code="too_many_keys")
            self.gateway.auditor.trail.act(
                "key.create", actor=principal.key_id, name=key.name, parent=principal.key_id, expires=key.expires
            )
            made = create_key(engine, self.gateway.pepper, key, now_ms=now_ms, parent=principal.key_id)
            self.gateway.tell_change()
            return made
        except ConfigError as error:
            raise InvalidRequest(f"The key cannot be made: {'; '.join(error.problems)}.") from None
        except NameTaken:
            raise Overloaded("Ask again.", retry_after_s=0) from None
        except StoreError:
            raise Overloaded("Keys cannot be stored now.", code="store_unavailable", retry_after_s=1) from None

    async def _revoke(self, request: Request, principal: Principal) -> None:
        key_id = request.path.removeprefix(PREFIX)
        found: list[bool] = []

        async def revoke() -> None:
            found.append(await asyncio.to_thread(self._end, principal, key_id))

        await OnLoop(revoke())
        if not found[0]:
            raise NotFound(f"This key has made no key {key_id!r}.", code="key_not_found")
        json_answer(request, {"object": "key", "id": key_id, "revoked": True}, snapshot=self.gateway.snapshot.number)

    def _end(self, principal: Principal, key_id: str) -> bool:
        engine = self.gateway.store.engine
        try:
            if not is_child(engine, key_id, principal.key_id):
                return False
            self.gateway.auditor.trail.act("key.revoke", actor=principal.key_id, key=key_id)
            revoke_key(engine, key_id, now_ms=time.time_ns() // 1_000_000)
            self.gateway.keys.refresh()
            self.gateway.tell_change()
        except StoreError:
            raise Overloaded("Keys cannot be ended now.", code="store_unavailable", retry_after_s=1) from None
        return True


def _shown(made: CreatedKey, key: Key) -> dict[str, Any]:
    return {
        "object": "key",
        "id": made.key.id,
        "secret": made.secret,
        "name": key.name,
        "parent": made.key.parent,
        "expires": key.expires,
        "allow": key.allow,
        "models": key.models,
        "providers": key.providers,
        "mcp_servers": key.mcp_servers,
        "surfaces": key.surfaces,
        "tags": key.tags,
        "budget_usd": key.budget_usd,
        "budget_per": key.budget_per,
    }
