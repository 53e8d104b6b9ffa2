"""Two organisations, everybody who may be in one, and a key for each of them."""

from __future__ import annotations

from typing import Any

from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve, Served

from dragoman.access.roles import ROLES
from dragoman.access.stored import CreatedKey, create_key
from dragoman.config.entities import App, Entity, Organisation, Role, Team, User
from dragoman.config.schema import Key
from dragoman.store.entities import create_entity

ACME, OTHER = "acme", "other"
SMITH = ("keys.read", "keys.write", "limits.write")
"""The permissions of a role that the organisation has made itself."""
WHO = ("operator", *ROLES, "smith", "team-admin", "nobody")


class Office:
    """A gateway with people."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.gateway = served.gateway
        self.engine = served.gateway.store.engine
        self.keys: dict[str, CreatedKey] = {}
        for entity in _entities():
            create_entity(self.engine, entity, now_ms=1)
        self._hand_out("operator", Key(name="operator", admin=True))
        for organisation in (ACME, OTHER):
            place = "" if organisation == ACME else f"{organisation}:"
            for role in ROLES:
                key = Key(name=role, organisation=organisation, user=f"{role}-user", role=role, allow_no_log=True)
                self._hand_out(place + role, key)
            plain = Key(name="nobody", organisation=organisation, team="shop", app="till")
            self._hand_out(f"{place}nobody", plain)
        self._hand_out("smith", Key(name="smith", organisation=ACME, role="smith"))
        self._hand_out("team-admin", Key(name="team-admin", organisation=ACME, team="shop", role="admin"))
        self.gateway.keys.refresh()

    def _hand_out(self, who: str, key: Key) -> None:
        self.keys[who] = create_key(self.engine, self.gateway.pepper, key, now_ms=1)

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Protocol:
        """A request by somebody."""
        key = f"Bearer {self.keys[who].secret}"
        return self.served.administer(method, f"/admin/v1{path}", body, authorization=key, **headers)

    def make_key(self, key: Key) -> CreatedKey:
        """Another key, in force at once."""
        made = create_key(self.engine, self.gateway.pepper, key, now_ms=1)
        self.gateway.keys.refresh()
        return made


def _entities() -> list[Entity]:
    found: list[Entity] = []
    for organisation in (ACME, OTHER):
        found.append(Organisation(name=organisation))
        found += [Team(name=name, organisation=organisation) for name in ("shop", "lab")]
        found += [User(name=f"{role}-user", organisation=organisation, role=role) for role in ROLES]
        found.append(User(name="eve", organisation=organisation, teams={"shop": "member"}))
        found.append(App(name="till", organisation=organisation, team="shop"))
        found.append(App(name="bench", organisation=organisation, team="lab"))
        found.append(Role(name="smith", organisation=organisation, permissions=SMITH))
    return found


def office(serve: Serve, upstream: Upstream) -> Office:
    """An office before a scripted provider, which answers as ``demo``."""
    config = config_for(upstream.base_url)
    return Office(serve(config | {"routes": {"demo": config["routes"]["chat"]}}))
