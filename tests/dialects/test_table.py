from __future__ import annotations

import pytest

from dragoman.dialects.dialect import Dialect
from dragoman.dialects.table import DIALECTS

TYPES = {
    "sse": "text/event-stream",
    "eventstream": "application/vnd.amazon.eventstream",
    "ndjson": "application/x-ndjson",
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_each_is_known_by_its_name_and_streams_as_it_says(dialect: Dialect) -> None:
    assert DIALECTS[dialect.name] is dialect
    assert dialect.stream_type.startswith(TYPES[dialect.framing])
