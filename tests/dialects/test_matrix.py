from __future__ import annotations

import pytest

from dragoman.dialects.matrix import FEATURES, MODELS, carried, matrix
from dragoman.dialects.table import DIALECTS

KNOWN = [
    ("tools", "anthropic", "yes"),
    ("seed", "anthropic", "no"),
    ("images by URL", "bedrock", "no"),
    ("an answer in JSON", "anthropic", "nearly"),
    ("several choices", "openai_chat", "yes"),
]


@pytest.mark.parametrize(("feature", "dialect", "told"), KNOWN)
def test_what_vendors_say_of_themselves(feature: str, dialect: str, told: str) -> None:
    assert carried(FEATURES[feature], dialect) == told


def test_every_dialect_has_its_column_and_carries_most() -> None:
    assert MODELS.keys() == DIALECTS.keys()
    for row in matrix().values():
        assert row.keys() == DIALECTS.keys()
    for dialect in DIALECTS:
        assert sum(row[dialect] == "yes" for row in matrix().values()) > len(FEATURES) / 2
