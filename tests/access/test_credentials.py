from __future__ import annotations

import time

import pytest

from dragoman.access.credentials import HEADERS, check_signature, presented_key
from dragoman.errors import InvalidRequest, Unauthenticated
from dragoman.identity.sigv4 import Credential, sign


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("written", ["dgk_a", "Bearer dgk_a", "bearer dgk_a", "BEARER   dgk_a ", " dgk_a "])
def test_a_key_is_found_wherever_clients_put_it(name: str, written: str) -> None:
    assert presented_key({"accept": "*/*", name: written}) == "dgk_a"


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Bearer "}, {"cookie": "dgk_a"}])
def test_none_is_empty(headers: dict[str, str]) -> None:
    assert presented_key(headers) == ""


def test_the_same_key_twice_is_one() -> None:
    assert presented_key({"authorization": "Bearer dgk_a", "x-api-key": "dgk_a", "api-key": ""}) == "dgk_a"


@pytest.mark.parametrize("other", HEADERS[1:])
def test_two_keys_are_refused(other: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        presented_key({"authorization": "Bearer dgk_a", other: "dgk_b"})
    assert (raised.value.error_code, raised.value.param) == ("ambiguous_key", other)
    assert "dgk_" not in raised.value.message


@pytest.mark.parametrize("name", HEADERS)
def test_one_header_that_came_twice_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        presented_key({name: "Bearer dgk_a, Bearer dgk_a"})


def test_a_key_in_the_query_is_one_too() -> None:
    assert presented_key({}, "alt=sse&key=dgk_a") == "dgk_a"
    with pytest.raises(InvalidRequest):
        presented_key({"x-goog-api-key": "dgk_b"}, "key=dgk_a")


def signed(secret: str) -> dict[str, str]:
    headers = {"host": "gateway"}
    scope, request = ("eu-west-1", "bedrock"), ("POST", "/model/m/converse", "")
    return headers | dict(sign(Credential("dgk_a", secret), scope, request, headers, b"{}", time.time()))


def test_the_key_of_a_signed_request_is_its_access_key() -> None:
    assert presented_key(signed("dgk_a")) == "dgk_a"
    assert presented_key({"authorization": "AWS4-HMAC-SHA256 broken"}) == ""


def test_it_is_the_secret_as_well() -> None:
    request = ("POST", "/model/m/converse", "")
    check_signature(signed("dgk_a"), request, b"{}")
    check_signature({"authorization": "Bearer dgk_a"}, request, b"{}")
    for headers, body in ((signed("dgk_b"), b"{}"), (signed("dgk_a"), b"{ }")):
        with pytest.raises(Unauthenticated):
            check_signature(headers, request, body)
