"""X18: what an organisation sees is the same whether or not another does the same with the same names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.endpoints.admin.office import Office
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Served

CONFIG: dict[str, Any] = {
    "cache": {"mode": "on"},
    "limits": {
        "organisation": {"of": ["organisation"], "requests": 50, "per": "day"},
        "end-users": {"of": ["end_user"], "requests": 20, "per": "minute"},
        "tags": {"of": ["tag"], "tokens": 100_000, "per": "day"},
    },
    "audit": {"content": "full"},
}
# What differs from one time to the next whoever else is there: ids, secrets, times.
VOLATILE = re.compile(
    r"(req|key|resp|chatcmpl|~)_?[-0-9a-f]{6,}|dgk_\w+|w[0-9a-f]{20}|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|"
    r'"(ms|created|created_at|at_ms|seq|resets_s|mean_ms|p50_ms|p95_ms|[a-z_]*_ms|subject|prompt|address)":"?[-\w.:]+"?'
)
HEADERS = re.compile(r"x-ratelimit-(limit|remaining)-\w+|x-dragoman-(cache|deployment|attempts)|retry-after")


def told(answer: Protocol) -> tuple[int, dict[str, str], str]:
    """An answer without what is never the same."""
    headers = {name: value for name, value in answer.headers.items() if HEADERS.fullmatch(name)}
    body = answer.json
    if isinstance(body.get("data"), list):  # keys of one moment are in the order of their ids
        body["data"] = sorted(VOLATILE.sub("*", json.dumps(one, separators=(",", ":"))) for one in body["data"])
    return answer.status, headers, VOLATILE.sub("*", json.dumps(body, separators=(",", ":")))


def world(office: Office, who: str) -> list[tuple[int, dict[str, str], str]]:
    """Everything that somebody of an organisation does, and is told."""
    key = {"authorization": f"Bearer {office.keys[f'{who}nobody'].secret}"}
    served, seen = office.served, []
    for _ in range(2):
        same = key | {"x-dragoman-tags": "nightly", "idempotency-key": "same"}
        seen.append(told(served.chat(same, model="demo", user="eve")))
    own = served.chat(key, model="demo", user="bob", temperature=0.5)
    seen.append(told(own))
    seen.append(told(served.get(f"/v1/requests/{own.headers['x-request-id']}", **key)))
    seen += [told(served.get(path, **key)) for path in ("/v1/models", "/v1/models/demo", "/v1/models/none")]
    seen.append(told(served.ask("POST", "/v1/keys", b'{"name": "agent"}', **key)))
    for made in ({"name": "same"}, {"name": "same"}):
        seen.append(told(office.ask(f"{who}owner", "POST", "/teams", made)))
        seen.append(told(office.ask(f"{who}owner", "POST", "/keys", made, idempotency_key="same")))
    for path in (
        "/keys?limit=200",
        "/teams",
        "/users",
        "/apps",
        "/roles",
        "/limits",
        "/audit?kind=request",
        "/effective",
    ):
        seen.append(told(office.ask(f"{who}admin", "GET", path)))
    return seen


def office_of(directory: Path, upstream: Upstream) -> Served:
    directory.mkdir()
    config = config_for(upstream.base_url)
    return Served(config | CONFIG | {"routes": {"demo": config["routes"]["chat"]}}, directory)


def test_nothing_tells_of_another_organisation(tmp_path: Path) -> None:
    worlds = []
    for is_alone in (True, False):
        with Upstream() as upstream, office_of(tmp_path / str(is_alone), upstream) as served:
            office = Office(served)
            if not is_alone:
                theirs = world(office, "other:")
                assert [status for status, _, _ in theirs].count(200) > 10
            worlds.append(world(office, ""))
    for alone, beside in zip(*worlds, strict=True):
        assert beside == alone
    assert len(worlds[0]) > 15


def test_what_is_named_by_its_id_is_not_there_for_others(tmp_path: Path) -> None:
    with Upstream() as upstream, office_of(tmp_path / "x", upstream) as served:
        office = Office(served)
        theirs = {"authorization": f"Bearer {office.keys['other:nobody'].secret}"}
        ours = {"authorization": f"Bearer {office.keys['nobody'].secret}"}
        request_id = served.chat(theirs, model="demo", user="eve").headers["x-request-id"]
        child = served.ask("POST", "/v1/keys", b"{}", **theirs).json["id"]
        assert served.get(f"/v1/requests/{request_id}", **theirs).status == 200
        for method, path in (
            ("GET", f"/v1/requests/{request_id}"),
            ("DELETE", f"/v1/keys/{child}"),
            ("GET", f"/v1/responses/resp_{request_id}"),
        ):
            known = served.ask(method, path, **ours)
            unknown = served.ask(method, path[:-4] + "0000", **ours)
            assert known.status == unknown.status == 404, path
            assert json.loads(known.body)["error"]["code"] == json.loads(unknown.body)["error"]["code"]


@pytest.mark.parametrize("path", ["/v1/usage?by=organisation,team,key", "/v1/usage?by=end_user"])
def test_sums_are_of_one_s_own(tmp_path: Path, path: str) -> None:
    with Upstream() as upstream, office_of(tmp_path / "x", upstream) as served:
        office = Office(served)
        for who in ("nobody", "other:nobody", "other:nobody"):
            served.chat({"authorization": f"Bearer {office.keys[who].secret}"}, model="demo", user="eve")
        told = served.get(path, authorization=f"Bearer {office.keys['nobody'].secret}").json
        assert told["whole"]["requests"] == 1
        assert len(told["groups"]) == 1
