from __future__ import annotations

import pytest

from dragoman.access.credentials import HEADERS, presented_key
from dragoman.errors import InvalidRequest


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
