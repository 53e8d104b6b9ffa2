"""``/scim/v2``: Users and Groups, for a directory with a key of a role that may change people."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from dragoman.access.roles import may
from dragoman.access.stored import iterate_keys, revoke_key
from dragoman.config.entities import Team, User
from dragoman.driver import OnLoop
from dragoman.endpoints.answers import own_headers
from dragoman.endpoints.scim.messages import ScimError, changed, listed, matches, read_filter
from dragoman.endpoints.scim.resources import (
    GROUP,
    USER,
    members_of,
    read_group,
    read_user,
    shown_group,
    shown_user,
    with_team,
)
from dragoman.errors import NameTaken, RequestError, StillUsed, StoreError
from dragoman.store.entities import change_entity, create_entity, find_entity, list_entities, remove_entity

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.endpoints.admin.api import AdminApi
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

ROOT = "/scim/v2"
JSON = "application/scim+json"
MOST = 100_000
Answered = tuple[int, Any]


class Scim:
    """Everything below the root."""

    always = False

    def __init__(self, gateway: Gateway, api: AdminApi) -> None:
        self.gateway = gateway
        self.api = api

    async def serve(self, request: Request) -> None:
        """Answer one request; what is wrong with it in SCIM's own words."""
        outcome: list[Answered] = []
        try:
            principal = self.api.come(request)
            raw = await self.gateway.read_body(request)
            await OnLoop(self._on_thread(outcome, partial(self._answer, request, principal, raw)))
            status, body = outcome[0]
        except ScimError as error:
            status, body = error.status, error.body
        except RequestError as error:
            status, body = error.http_status, ScimError(error.message, error.http_status).body
        headers = own_headers(request, self.gateway.snapshot.number)
        headers[0] = ("content-type", JSON)
        request.stage = "answered"
        request.proto.response_bytes(status, headers, b"" if body is None else msgspec.json.encode(body))

    async def _on_thread(self, outcome: list[Answered], work: Any) -> None:
        outcome.append(await asyncio.to_thread(work))

    def _answer(self, request: Request, principal: Principal, raw: bytes) -> Answered:
        kind, _, name = request.path.removeprefix(f"{ROOT}/").partition("/")
        if request.method == "GET" and not name and kind in ABOUT:
            return 200, ABOUT[kind]
        if principal.team or not (may(principal, "users.write") and may(principal, "teams.write")):
            raise ScimError("This needs a key of the organisation, with users.write and teams.write.", 403)
        known: dict[str, type[Users] | type[Groups]] = {"Users": Users, "Groups": Groups}
        if kind not in known:
            raise ScimError(f"There is no {request.path}.", 404)
        resources = known[kind](self.gateway, principal, partial(self.api.record, request, principal))
        try:
            return _dispatched(resources, request, name, raw)
        except NameTaken as error:
            raise ScimError(f"{error}.", 409, "uniqueness") from None
        except StillUsed as error:
            raise ScimError(f"{error}.", 409) from None
        except StoreError as error:
            raise ScimError(f"{error}.", 503) from None
        finally:
            if request.method != "GET":
                self.gateway.keys.refresh()
                self.gateway.tell_change()


def _dispatched(resources: Users | Groups, request: Request, name: str, raw: bytes) -> Answered:
    method = request.method
    if not name:
        if method == "GET":
            query = dict(parse_qsl(request.query))
            wanted = read_filter(query.get("filter", ""))
            return 200, listed([one for one in resources.all() if matches(one, wanted)], query)
        if method == "POST":
            return 201, resources.create(_object(raw))
    elif method == "GET":
        return 200, resources.get(name)
    elif method == "PUT":
        return 200, resources.change(name, _object(raw))
    elif method == "PATCH":
        return 200, resources.change(name, changed(resources.get(name), _object(raw)))
    elif method == "DELETE":
        resources.remove(name)
        return 204, None
    raise ScimError(f"{request.path} does not take {method}.", 405)


class _Resources:
    def __init__(self, gateway: Gateway, principal: Principal, record: Any) -> None:
        self.gateway = gateway
        self.engine = gateway.store.engine
        self.organisation = principal.organisation
        self.record = partial(record, organisation=principal.organisation)

    def users(self) -> list[User]:
        """Everybody in the organisation."""
        return [
            one for one in list_entities(self.engine, "user", self.organisation, limit=MOST) if isinstance(one, User)
        ]

    def save(self, before: User | Team, after: User | Team) -> None:
        """Change one."""
        if before != after and not change_entity(self.engine, before, after, now_ms=_now_ms()):
            raise ScimError("It was changed by another meanwhile; read it again.", 412)


class Users(_Resources):
    """People."""

    def all(self) -> list[dict[str, Any]]:
        """Every user, as shown."""
        return [shown_user(one, ROOT) for one in self.users()]

    def get(self, name: str) -> dict[str, Any]:
        """One of them."""
        return shown_user(self._found(name), ROOT)

    def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Make one."""
        user = read_user(resource, self.organisation)
        self.record("user.create", name=user.name, by="scim")
        create_entity(self.engine, user, now_ms=_now_ms())
        return shown_user(user, ROOT)

    def change(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Make one what a directory says."""
        before = self._found(name)
        after = read_user(resource, self.organisation, before)
        self.record("user.change", name=name, by="scim", disabled=after.disabled)
        self.save(before, after)
        return shown_user(after, ROOT)

    def remove(self, name: str) -> None:
        """Remove one, whose keys end with it."""
        self._found(name)
        self.record("user.delete", name=name, by="scim")
        for key in iterate_keys(self.engine, {"organisation": self.organisation, "user": name}, revoked=False):
            self.record("key.revoke", key=key.id, by="scim")
            revoke_key(self.engine, key.id, now_ms=_now_ms())
        remove_entity(self.engine, "user", self.organisation, name)

    def _found(self, name: str) -> User:
        found = find_entity(self.engine, "user", self.organisation, name)
        if not isinstance(found, User):
            raise ScimError(f"There is no user {name!r}.", 404)
        return found


class Groups(_Resources):
    """Teams."""

    def all(self) -> list[dict[str, Any]]:
        """Every team, as shown."""
        users = self.users()
        teams = list_entities(self.engine, "team", self.organisation, limit=MOST)
        return [shown_group(one, _names(users, one.name), ROOT) for one in teams if isinstance(one, Team)]

    def get(self, name: str) -> dict[str, Any]:
        """One of them."""
        return shown_group(self._found(name), _names(self.users(), name), ROOT)

    def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Make one, with its members."""
        team = read_group(resource, self.organisation)
        self.record("team.create", name=team.name, by="scim")
        create_entity(self.engine, team, now_ms=_now_ms())
        self._set_members(team.name, members_of(resource))
        return self.get(team.name)

    def change(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Make one what a directory says."""
        before = self._found(name)
        self.record("team.change", name=name, by="scim")
        self.save(before, read_group(resource, self.organisation, before))
        self._set_members(name, members_of(resource))
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove one; nobody is in it any more."""
        self._found(name)
        self.record("team.delete", name=name, by="scim")
        self._set_members(name, [])
        remove_entity(self.engine, "team", self.organisation, name)

    def _set_members(self, team: str, members: list[str] | None) -> None:
        if members is None:
            return
        users = {user.name: user for user in self.users()}
        unknown = [name for name in members if name not in users]
        if unknown:
            raise ScimError(f"There is no user {unknown[0]!r}.", 400, "invalidValue")
        for name, user in users.items():
            self.save(user, with_team(user, team, is_member=name in members))

    def _found(self, name: str) -> Team:
        found = find_entity(self.engine, "team", self.organisation, name)
        if not isinstance(found, Team):
            raise ScimError(f"There is no group {name!r}.", 404)
        return found


def _names(users: list[User], team: str) -> list[str]:
    return [user.name for user in users if team in user.teams]


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise ScimError("The body is no JSON object.", 400, "invalidSyntax") from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _type(name: str, schema: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": f"/{name}s",
        "schema": schema,
    }


def _attribute(name: str, **more: Any) -> dict[str, Any]:
    usual = {"type": "string", "multiValued": False, "required": False, "mutability": "readWrite"}
    return {"name": name} | usual | more


def _schema(schema: str, name: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": schema, "name": name, "attributes": attributes}


ABOUT: dict[str, Any] = {
    "ServiceProviderConfig": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": 200},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {"type": "oauthbearertoken", "name": "Bearer", "description": "A key of this gateway, or a token."}
        ],
    },
    "ResourceTypes": listed([_type("User", USER), _type("Group", GROUP)], {}),
    "Schemas": listed(
        [
            _schema(
                USER,
                "User",
                [
                    _attribute("userName", required=True, mutability="immutable", uniqueness="server"),
                    _attribute("displayName"),
                    _attribute("active", type="boolean"),
                    _attribute("emails", type="complex", multiValued=True),
                ],
            ),
            _schema(
                GROUP,
                "Group",
                [_attribute("displayName", required=True), _attribute("members", type="complex", multiValued=True)],
            ),
        ],
        {},
    ),
}
"""What a directory asks before it begins."""
