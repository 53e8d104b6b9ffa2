from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.endpoints.admin.office import Office
from tests.served import Protocol

from dragoman.access.stored import list_keys
from dragoman.config.schema import Key
from dragoman.endpoints.admin.api import find
from dragoman.errors import MethodNotAllowed, NotFound


def test_a_key_is_needed_even_where_everybody_is_served(serve: Any) -> None:
    served = serve({"rehearsal": {"enabled": True}})
    assert served.gateway.keys.is_open
    assert served.administer("GET", "/admin/v1/keys").status == 401
    assert served.administer("GET", "/admin/v1/keys", authorization="Bearer dgk_wrong").status == 401


def test_a_key_without_a_role_may_nothing(office: Office) -> None:
    for path in ("/keys", "/effective", "/permissions", "/teams"):
        assert office.ask("nobody", "GET", path).code == "permission_denied"


def test_a_key_of_other_surfaces_does_not_come_in(office: Office) -> None:
    office.keys["chat"] = office.make_key(Key(name="chat", admin=True, surfaces=("chat",)))
    assert office.ask("chat", "GET", "/keys").code == "surface_not_allowed"


def test_the_two_listeners_have_nothing_in_common(office: Office) -> None:
    secret = office.keys["operator"].secret
    for method, path in (
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
    ):
        assert office.served.administer(method, path, authorization=f"Bearer {secret}").status == 404
    for path in ("/admin/v1/keys", "/admin/v1/openapi.json"):
        assert office.served.get(path, authorization=f"Bearer {secret}").status == 404


def test_what_is_not_there(office: Office) -> None:
    assert office.ask("operator", "GET", "/nothing").status == 404
    assert office.ask("operator", "PUT", "/teams").status == 405
    assert office.ask("operator", "GET", "/teams/%2e%2e/keys").status == 404


def test_the_more_exact_path_counts() -> None:
    assert find("POST", "/admin/v1/keys/leaked")[0].id == "report_leaked_key"
    assert find("GET", "/admin/v1/limits/acme/daily")[1] == {"name": "acme/daily"}
    with pytest.raises(MethodNotAllowed):
        find("GET", "/admin/v1/keys/x/rotate")
    with pytest.raises(NotFound):
        find("GET", "/admin/v1/keys/x/y/z")


def test_answers_are_for_nobody_else(office: Office) -> None:
    answer = office.ask("operator", "GET", "/teams")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_what_is_asked_twice_with_one_key_is_done_once(office: Office) -> None:
    body = {"name": "once"}
    first = office.ask("owner", "POST", "/keys", body, idempotency_key="k1")
    again = office.ask("owner", "POST", "/keys", body, idempotency_key="k1")
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json  # the secret, too
    assert sum(key.name == "once" for key in list_keys(office.engine)) == 1
    other = office.ask("owner", "POST", "/keys", {"name": "twice"}, idempotency_key="k1")
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert office.ask("admin", "POST", "/keys", {"name": "theirs"}, idempotency_key="k1").status == 201
    assert office.ask("owner", "POST", "/keys", body, idempotency_key="k" * 256).status == 400


def test_what_failed_is_not_kept(office: Office) -> None:
    assert office.ask("owner", "POST", "/apps", {"name": "x", "team": "new"}, idempotency_key="k").status == 400
    office.ask("owner", "POST", "/teams", {"name": "new"})
    assert office.ask("owner", "POST", "/apps", {"name": "x", "team": "new"}, idempotency_key="k").status == 201


def test_many_at_once_with_one_key_make_one(office: Office) -> None:
    answers: list[Protocol] = []

    def ask() -> None:
        answers.append(office.ask("owner", "POST", "/teams", {"name": "race"}, idempotency_key="k"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {201, 409}
    assert any(answer.status == 201 for answer in answers)
    assert all(answer.status == 201 or answer.code == "idempotency_key_in_use" for answer in answers)


def test_every_act_is_on_record_and_so_is_every_refusal(office: Office) -> None:
    office.ask("owner", "POST", "/teams", {"name": "seen"})
    office.ask("viewer", "POST", "/teams", {"name": "unseen"})
    records = [one["record"] for one in office.ask("auditor", "GET", "/audit?limit=10").json["data"]]
    made = next(one for one in records if one["kind"] == "team.create")
    assert (made["actor"], made["organisation"], made["detail"]["name"]) == ("owner-user", "acme", "seen")
    refused = next(one for one in records if one["kind"] == "admin.create_team")
    assert (refused["decision"], refused["user"], refused["code"]) == ("refused", "viewer-user", "permission_denied")
    assert made["key_id"] == office.keys["owner"].key.id


def test_without_a_database_it_says_so(office: Office) -> None:
    with office.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE entities RENAME TO away")
    refused = office.ask("operator", "GET", "/teams")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "store_unavailable", "1")
    with office.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO entities")
    assert office.ask("operator", "GET", "/teams").status == 200
