from __future__ import annotations

import random

import pytest
from sqlalchemy.dialects import postgresql
from tests.usage import traffic
from tests.usage.traffic import told, write

from dragoman.store.engine import Store
from dragoman.usage.pieces import Piece
from dragoman.usage.question import DIMENSIONS, Question
from dragoman.usage.raw import add_rows, counting
from dragoman.usage.sums import Group, Groups, Report, Sums


@pytest.mark.parametrize("seed", range(6))
def test_the_database_adds_up_as_rows_are_counted_one_by_one(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    rows = traffic.rows(chance, 200)
    write(store.engine, rows)
    for _ in range(40):
        asked = traffic.question(chance)
        groups, whole = Groups(), Sums()
        with store.engine.connect() as connection:
            add_rows(connection, asked, Piece(None, asked.since_ms, asked.until_ms), groups, whole)
        found = Report([Group(*pair) for pair in groups.found.items()], whole)
        assert told(found) == told(traffic.answer(rows, asked)), asked


def test_the_question_can_be_put_to_postgresql() -> None:
    query = counting(Question(by=tuple(DIMENSIONS), where={"tag": ("%",)}), Piece(None, 1, 2))
    text = str(query.compile(dialect=postgresql.psycopg.dialect()))  # type: ignore[no-untyped-call]
    assert 'usage."user"' in text
    assert "usage.started_at_ms >= %(" in text


def test_case_and_wildcards_tell_tags_apart(store: Store) -> None:
    (row,) = traffic.rows(random.Random(1), 1)
    write(store.engine, [traffic.with_names(row, tags=tags) for tags in ("a", "A", "%", "ab,b")])
    for tag, count in (("a", 1), ("%", 1), ("b", 1), ("ab", 1), ("ab,b", 0), ("_", 0)):
        groups, whole = Groups(), Sums()
        with store.engine.connect() as connection:
            add_rows(connection, Question(where={"tag": (tag,)}), Piece(None, None, None), groups, whole)
        assert whole.requests == count, tag
