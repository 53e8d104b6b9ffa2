from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from msgspec import structs
from sqlalchemy import func, select
from tests.usage import traffic

from dragoman.store.engine import Store
from dragoman.store.tables import usage
from dragoman.usage import insert
from dragoman.usage.batch import batch_of
from dragoman.usage.insert import RowInsert, storable
from dragoman.usage.row import UsageRow, row_of

# Fields that are the same in all rows where few features are used.
ALIKE = ("endpoint", "status", "tags", "end_user", "model", "cost_nanousd", "first_token_ms", "stream")


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 200, 512])
def test_any_number_of_rows_goes_in_whole_and_in_order(
    store: Store, make_row: Callable[..., UsageRow], count: int
) -> None:
    rows = [make_row() for _ in range(count)]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
        found = connection.execute(select(usage.c.request_id).order_by(usage.c.id)).scalars().all()
    assert found == [row.request_id for row in rows]


def test_every_column_gets_its_own_field(store: Store) -> None:
    fields: dict[str, object] = {}
    for number, name in enumerate(UsageRow.__struct_fields__):
        kind = usage.c[name].type.python_type
        fields[name] = bool(number % 2) if kind is bool else kind(number)
    fields["usage_source"] = "counted"
    row = UsageRow(**fields)  # type: ignore[arg-type]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of([row]))
        found = connection.execute(select(usage)).mappings().one()
    assert {name: found[name] for name in fields} == fields


def test_hostile_text_is_stored_as_it_is(store: Store, make_row: Callable[..., UsageRow]) -> None:
    texts = ["'; DROP TABLE usage; --", "%s ? :x %(y)s", '"', "\\", "😀\u2028", "a" * 100_000]
    rows = [make_row(end_user=text, tags=text, metadata=text) for text in texts]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
        assert connection.execute(select(usage.c.end_user).order_by(usage.c.id)).scalars().all() == texts


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_vary_in_more_and_more_are_stored_as_they_are(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(insert, "BATCHES_REMEMBERED", 3)
    rows = traffic.rows(chance, 900)
    alike = [structs.replace(row, **{name: getattr(rows[0], name) for name in ALIKE}) for row in rows]
    put = RowInsert(store.engine.dialect)
    written: list[UsageRow] = []
    for some in (alike, rows, alike, rows[:1], alike[:9], rows[:70], alike[:600]):
        with store.engine.begin() as connection:
            put(connection, batch_of(some))
        written += some
        assert traffic.stored_rows(store.engine) == written


def test_a_batch_is_undone_with_its_transaction(store: Store, make_row: Callable[..., UsageRow]) -> None:
    with store.engine.connect() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of([make_row() for _ in range(100)]))
        connection.rollback()
        assert connection.execute(select(func.count()).select_from(usage)).scalar_one() == 0


def test_what_no_database_takes_is_replaced(store: Store, make_row: Callable[..., UsageRow]) -> None:
    row = make_row(end_user="a\ud800b\0c", input_tokens=2**70, output_tokens=-(2**70))
    cells = storable(structs.astuple(row))
    assert cells is not None
    fixed = row_of(cells)
    assert fixed.end_user == "a?bc"
    assert (fixed.input_tokens, fixed.output_tokens) == (2**63 - 1, -(2**63 - 1))
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of([fixed]))


def test_a_good_row_is_left_as_it_is(make_row: Callable[..., UsageRow]) -> None:
    row = make_row(end_user="é😀", cost_nanousd=2**63 - 1, first_token_ms=1.5)
    assert storable(structs.astuple(row)) == structs.astuple(row)


def test_a_row_of_wrong_types_cannot_be_stored(make_row: Callable[..., UsageRow]) -> None:
    assert storable(structs.astuple(make_row(status="200"))) is None
    odd = structs.replace(make_row(), tags=["a"])  # type: ignore[arg-type]
    assert storable(structs.astuple(odd)) is None
