from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import DOCUMENTS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import _all

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import Place, Rank, Ranking
from dragoman.dialects.tasks.voyage_rerank import read_answer, read_request, write_answer, write_request


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    found = [one for one in _all(recorded) if one["request"]["url"].endswith("voyageai.com/v1/rerank")]
    assert found
    for call in found:
        asked = read_request(call["request"]["body"].encode(), Path())
        losses = Losses()
        written = json.loads(write_request(asked, Target(model=asked.model), losses).body)
        sent = json.loads(call["request"]["body"])
        assert written == {name: value for name, value in sent.items() if name != "truncation" and value is not None}
        assert losses.header() == "truncation"
        told = read_answer(call["response"]["body"].encode(), asked, Target(model="m"))
        assert 0 < len(told.places) <= len(asked.documents)
        assert told.usage is not None


def test_documents_are_echoed_where_that_is_wanted() -> None:
    asked = Rank(model="m", query="q", documents=tuple(DOCUMENTS), echo=True)
    told = json.loads(write_answer(Ranking(model="m", places=(Place(1, 0.5), Place(9, 0.25))), asked, ABOUT))
    assert told["data"] == [
        {"index": 1, "relevance_score": 0.5, "document": "London."},
        {"index": 9, "relevance_score": 0.25},
    ]
