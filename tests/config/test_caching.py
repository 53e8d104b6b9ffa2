from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dragoman.config.caching import Cache


def test_by_default_it_is_left_to_the_client() -> None:
    cache = Cache()
    assert (cache.mode, cache.scope, cache.share_in_flight) == ("ask", "key", True)
    assert cache.ttl_s <= cache.max_ttl_s
    assert cache.max_entry_bytes < cache.max_bytes


@pytest.mark.parametrize(
    "fields",
    [{"mode": "yes"}, {"scope": "all"}, {"ttl_s": 0}, {"ttl_s": 1e9}, {"max_bytes": 0}, {"max_entries": 1}],
)
def test_what_it_may_not_be(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, Cache)
