"""``GET /admin/v1/openapi.json``: the admin API as OpenAPI 3.1 has it, from the table that serves it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from dragoman import __version__
from dragoman.endpoints.admin.operation import ROOT, Nothing, Operation
from dragoman.endpoints.admin.table import OPERATIONS
from dragoman.endpoints.answers import own_headers

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = f"{ROOT}/openapi.json"
TEMPLATE = "#/components/schemas/{name}"
ERRORS = {
    "400": "It cannot be read, or a field is wrong; `param` names it.",
    "401": "No key was given, or none that is in force.",
    "403": "The key may not do this, or not write this field.",
    "404": "There is no such thing where the key may look.",
    "409": "It is there already, is still in use, or is not in force.",
    "412": "It has changed since the ETag of `If-Match`.",
    "413": "The body is too large.",
    "503": "The database or the audit log cannot be written; ask again.",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}


class Document:
    """The document; it says nothing of what is stored, and needs no key."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer with it."""
        request.stage = "answered"
        request.proto.response_bytes(200, own_headers(request, self.gateway.snapshot.number), encoded())


@cache
def encoded() -> bytes:
    """The document, as it is answered."""
    return msgspec.json.encode(document(OPERATIONS))


def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The document about these operations."""
    types = [one for operation in operations for one in (operation.answer, operation.body) if one is not None]
    distinct = {id(one): one for one in types}
    schemas, components = msgspec.json.schema_components(list(distinct.values()), ref_template=TEMPLATE)
    by_type = dict(zip(distinct, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(ROOT + operation.path, {})[operation.method.lower()] = _shown(operation, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dragoman admin API",
            "version": __version__,
            "summary": "Organisations, teams, people, applications, keys, limits, usage and the audit log.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": components | {"Error": ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "dgk_..."}},
        },
    }


def _shown(operation: Operation, by_type: dict[int, Any]) -> dict[str, Any]:
    others = {name: {"schema": {"type": "string"}} for name in operation.other_types}
    answer = {"description": operation.summary, "content": _json(by_type[id(operation.answer)]) | others}
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-permissions": list(operation.permissions),
        "parameters": list(_parameters(operation)),
        "responses": {str(operation.status): answer}
        | {status: {"description": words, "content": _json({"$ref": TEMPLATE.format(name="Error")})}
           for status, words in ERRORS.items()},
    }  # fmt: skip
    if operation.method == "GET":
        shown["responses"]["304"] = {"description": "It is as `If-None-Match` has it."}
    if operation.body is not None:
        shown["requestBody"] = {"required": True, "content": _json(by_type[id(operation.body)])}
    return shown


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not Nothing:
        _, components = msgspec.json.schema_components([operation.query], ref_template=TEMPLATE)
        (schema,) = (components[name] for name in components)
        found += [{"name": name, "in": "query", "schema": one} for name, one in schema["properties"].items()]
    headers = {"POST": ["Idempotency-Key"], "GET": ["If-None-Match"]}.get(operation.method, ["If-Match"])
    found += [{"name": name, "in": "header", "schema": {"type": "string"}} for name in headers]
    return found


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
