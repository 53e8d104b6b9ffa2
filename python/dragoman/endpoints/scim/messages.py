"""What SCIM's requests ask, and its answers say (RFC 7644): filters, changes, lists and errors."""

from __future__ import annotations

import re
from typing import Any

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MOST_LISTED = 200
MOST_CHANGES = 1000
_FILTER = re.compile(r'(\w+(?:\.\w+)?)\s+eq\s+"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_MEMBER = re.compile(r'members\[\s*value\s+eq\s+"((?:[^"\\]|\\.)*)"\s*\]', re.IGNORECASE)
Resource = dict[str, Any]


class ScimError(Exception):
    """What a directory is told that has asked for something wrong."""

    def __init__(self, detail: str, status: int, kind: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.kind = kind

    @property
    def body(self) -> Resource:
        """The error as it is answered."""
        body = {"schemas": [ERROR], "status": str(self.status), "detail": self.detail}
        return body | ({"scimType": self.kind} if self.kind else {})


def read_filter(text: str) -> tuple[str, str] | None:
    """What is looked for: an attribute, in lower case, and its value; ``None``: everything.

    Raises:
        ScimError: it is another filter than one of an attribute that equals a text.
    """
    if not text:
        return None
    found = _FILTER.fullmatch(text.strip())
    if found is None:
        raise ScimError('Filters are of the form: userName eq "name".', 400, "invalidFilter")
    return found[1].lower(), re.sub(r"\\(.)", r"\1", found[2])


def matches(resource: Resource, wanted: tuple[str, str] | None) -> bool:
    """Whether a resource is looked for; texts are compared whatever their case, ids as they are.

    Raises:
        ScimError: resources have no such attribute.
    """
    if wanted is None:
        return True
    name, value = wanted
    known = {"username", "displayname", "externalid", "id", "emails.value", "emails"}
    if name not in known:
        raise ScimError(f"There is no filter by {name}.", 400, "invalidFilter")
    if name.startswith("emails"):
        return value.lower() in [str(one["value"]).lower() for one in resource.get("emails", [])]
    found = next((found for key, found in resource.items() if key.lower() == name), None)
    if found is None:
        return False
    return str(found) == value if name in ("id", "externalid") else str(found).lower() == value.lower()


def listed(resources: list[Resource], query: dict[str, str]) -> Resource:
    """The part of a list that a query asks for: from ``startIndex`` (the first is 1), ``count`` of them.

    Raises:
        ScimError: these are no numbers.
    """
    try:
        start, count = int(query.get("startIndex", "1")), int(query.get("count", str(MOST_LISTED)))
    except ValueError:
        raise ScimError("startIndex and count are whole numbers.", 400, "invalidValue") from None
    start, count = max(start, 1), min(max(count, 0), MOST_LISTED)
    page = resources[start - 1 : start - 1 + count]
    return {
        "schemas": [LIST],
        "totalResults": len(resources),
        "startIndex": start,
        "itemsPerPage": len(page),
        "Resources": page,
    }


def changed(resource: Resource, patch: Resource) -> Resource:
    """A resource after the operations of a PATCH (RFC 7644, 3.5.2), in their order.

    Raises:
        ScimError: an operation is none, or of what cannot be changed.
    """
    operations = next((value for key, value in patch.items() if key.lower() == "operations"), None)
    if not isinstance(operations, list) or not operations or len(operations) > MOST_CHANGES:
        raise ScimError(f"Operations: from 1 to {MOST_CHANGES} of them.", 400, "invalidSyntax")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("op"), str):
            raise ScimError("An operation has an op, and mostly a path and a value.", 400, "invalidSyntax")
        resource = _after(resource, operation["op"].lower(), str(operation.get("path") or ""), operation.get("value"))
    return resource


def _after(resource: Resource, op: str, path: str, value: Any) -> Resource:
    if op not in ("add", "replace", "remove"):
        raise ScimError(f"{op!r} is none of add, replace and remove.", 400, "invalidSyntax")
    if not path:
        if op == "remove" or not isinstance(value, dict):
            raise ScimError("Without a path, a value is an object of attributes.", 400, "noTarget")
        for name, one in value.items():
            resource = _after(resource, op, name, one)
        return resource
    member = _MEMBER.fullmatch(path)
    if member is not None and op == "remove":
        return resource | {"members": _without(resource, [member[1]])}
    name = _attribute(path)
    if name == "members":
        return resource | {"members": _members(resource, op, value)}
    if op == "remove":
        return resource | {name: [] if name == "emails" else ""}
    if name == "emails" and not isinstance(value, list):
        value = [{"value": value, "primary": True}]
    return resource | {name: value}


def _attribute(path: str) -> str:
    """The attribute that a path leads to; what is within one counts as the whole, where there is one of it."""
    attributes = ("active", "displayName", "externalId", "userName", "members", "emails", "name")
    head = path.rpartition(":")[2] if path.startswith("urn:") else path
    found = next((one for one in attributes if re.match(rf"{one}\b", head, re.IGNORECASE)), None)
    if found is None:
        raise ScimError(f"{path}: cannot be changed.", 400, "invalidPath")
    return "displayName" if found == "name" else found


def _members(resource: Resource, op: str, value: Any) -> list[Resource]:
    given = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    if op == "remove":
        return _without(resource, [str(one.get("value")) for one in given]) if given else []
    kept = [] if op == "replace" else list(resource.get("members", []))
    return [*kept, *given]


def _without(resource: Resource, gone: list[str]) -> list[Resource]:
    return [one for one in resource.get("members", []) if str(one.get("value")) not in gone]
