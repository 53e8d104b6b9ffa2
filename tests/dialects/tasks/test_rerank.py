from __future__ import annotations

import json

from tests.dialects.tasks.samples import DOCUMENTS
from tests.dialects.tasks.test_table import ABOUT

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.rerank import read_request, write_answer, write_request
from dragoman.dialects.tasks.task import Place, Ranking


def test_documents_of_several_fields() -> None:
    body = {"query": "q", "documents": ["a", {"text": "b"}, {"title": "c", "year": 1}]}
    asked = read_request(json.dumps(body).encode(), Path(model="m"))
    assert asked.documents == ("a", "b", '{"title":"c","year":1}')
    assert asked.texts == ["q", *asked.documents]


def test_documents_are_echoed_where_that_is_wanted() -> None:
    body = {"query": "q", "documents": DOCUMENTS, "return_documents": True}
    asked = read_request(json.dumps(body).encode(), Path(model="m"))
    told = json.loads(write_answer(Ranking(model="m", places=(Place(1, 0.5), Place(9, 0.25))), asked, ABOUT))
    assert told["results"] == [
        {"index": 1, "relevance_score": 0.5, "document": {"text": "London."}},
        {"index": 9, "relevance_score": 0.25},
    ]
    assert (told["usage"], told["meta"]["billed_units"]) == ({"total_tokens": 7}, {"search_units": 1})


def test_what_it_has_no_word_for() -> None:
    body = {"query": "q", "documents": [], "max_tokens_per_doc": 9, "rank_fields": ["a"]}
    losses = Losses()
    write_request(read_request(json.dumps(body).encode(), Path(model="m")), Target(model="m"), losses)
    assert losses.header() == "rank_fields, max_tokens_each"
