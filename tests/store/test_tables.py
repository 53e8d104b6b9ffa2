from __future__ import annotations

from typing import get_type_hints

from sqlalchemy import BigInteger, Boolean, Float, Text, create_mock_engine

from dragoman.store.tables import keys, meta, metadata, usage
from dragoman.usage.row import UsageRow


def test_usage_has_the_columns_of_the_row_in_its_order() -> None:
    assert tuple(usage.c.keys())[1:] == UsageRow.__struct_fields__
    assert usage.c.keys()[0] == "id"


def test_usage_types_follow_the_row() -> None:
    expected = {str: Text, int: BigInteger, float: Float, bool: Boolean}
    for name, hint in get_type_hints(UsageRow).items():
        members = getattr(hint, "__args__", (hint,))
        optional = type(None) in members
        column = usage.c[name]
        assert column.nullable is optional, name
        if name == "usage_source":
            assert isinstance(column.type, Text)
        else:
            assert isinstance(column.type, expected[members[0]]), name


def test_usage_has_the_two_indexes_that_are_searched() -> None:
    assert {tuple(index.columns.keys()) for index in usage.indexes} == {("started_at_ms",), ("request_id",)}


def test_the_tables_are_these() -> None:
    assert set(metadata.tables) == {
        "usage",
        "usage_rollups",
        "usage_series",
        "keys",
        "meta",
        "responses",
        "continuity",
        "prompts",
        "limits",
        "ledger",
        "audit_content",
        "entities",
        "replies",
        "sessions",
        "configs",
        "erasures",
    }
    assert keys.c.hash.unique
    assert meta.c.name.primary_key


def test_the_tables_can_be_made_in_postgresql() -> None:
    made: list[str] = []
    engine = create_mock_engine("postgresql+psycopg://", lambda statement, *_: made.append(compiled(statement)))

    def compiled(statement: object) -> str:
        return str(statement.compile(dialect=engine.dialect))  # type: ignore[attr-defined]

    metadata.create_all(engine, checkfirst=False)
    text = "\n".join(made)
    assert "id BIGSERIAL" in text
    assert '"user" TEXT' in text
    assert "WHERE revoked_at_ms IS NULL" in text
