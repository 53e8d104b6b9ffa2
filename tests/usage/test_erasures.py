from __future__ import annotations

import pytest
from msgspec.structs import astuple
from sqlalchemy import Engine, select
from tests.usage.conftest import MakeRow

from dragoman.access.stored import create_key
from dragoman.config.schema import Key
from dragoman.config.schema import Store as Settings
from dragoman.store.engine import Store
from dragoman.store.tables import erasures as table
from dragoman.store.tables import usage, usage_rollups
from dragoman.usage.batch import batch_of
from dragoman.usage.erasures import KEPT_MS, Erasures, tenant_of, tenants_within
from dragoman.usage.insert import RowInsert
from dragoman.usage.rollup import be_alone
from dragoman.usage.row import UsageRow, row_of
from dragoman.usage.spool import Spool
from dragoman.usage.write import UsageWriter

PEPPER = bytes(range(32))
THEN_MS = 1_800_000_000_000
KEPT = Erasures(PEPPER)


def order(engine: Engine, *tenants: str, name: str = "eve", at_ms: int = THEN_MS) -> None:
    with engine.begin() as connection:
        be_alone(connection)
        KEPT.order(connection, tenants, name, at_ms=at_ms)


def applied(engine: Engine, *rows: UsageRow) -> list[tuple[str, str]]:
    with engine.begin() as connection:
        be_alone(connection)
        return [(row.end_user, row.metadata) for row in map(row_of, KEPT.applied(connection, list(map(astuple, rows))))]


@pytest.mark.parametrize("place", [{"organisation": "acme", "team": "x"}, {"team": "acme"}, {"key_id": "acme"}])
def test_rows_of_before_lose_the_name_and_others_keep_it(
    store: Store, make_row: MakeRow, place: dict[str, str]
) -> None:
    def row(started_at_ms: int = THEN_MS, name: str = "eve") -> UsageRow:
        nobody = {"organisation": "", "team": "", "key_id": "k"}
        return make_row(end_user=name, metadata='{"a":"b"}', started_at_ms=started_at_ms, **nobody | place)

    kept = ("eve", '{"a":"b"}')
    assert applied(store.engine, row()) == [kept]
    order(store.engine, "acme")
    assert applied(store.engine, row(), row(THEN_MS + 1)) == [("", ""), kept]
    assert applied(store.engine, row(name="bob")) == [("bob", kept[1])]
    assert applied(store.engine, row(THEN_MS + 5), row(THEN_MS + 1)) == [kept, kept]


def test_who_is_of_another_tenant_keeps_the_name(store: Store, make_row: MakeRow) -> None:
    order(store.engine, "acme")
    other = make_row(end_user="eve", organisation="globex", team="acme", key_id="acme", started_at_ms=1, metadata="")
    assert applied(store.engine, other) == [("eve", "")]


def test_an_order_says_nothing_of_whom_it_is_about(store: Store) -> None:
    order(store.engine, "acme")
    with store.engine.connect() as connection:
        digest, at_ms = connection.execute(select(table)).one()
    assert (len(digest), at_ms) == (32, THEN_MS)
    assert bytes(digest) != Erasures(PEPPER[::-1]).digest("acme", "eve")


def test_a_later_order_takes_the_place_of_an_earlier_one_and_old_ones_go(store: Store) -> None:
    order(store.engine, "acme", name="bob", at_ms=1)
    order(store.engine, "acme", at_ms=2)
    order(store.engine, "acme", at_ms=3)
    with store.engine.connect() as connection:
        assert KEPT.orders(connection) == {KEPT.digest("acme", "bob"): 1, KEPT.digest("acme", "eve"): 3}
    order(store.engine, "acme", at_ms=KEPT_MS + 3)
    with store.engine.connect() as connection:
        assert KEPT.orders(connection) == {KEPT.digest("acme", "eve"): KEPT_MS + 3}


def test_rows_that_waited_in_the_spool_come_without_the_name(store: Store, make_row: MakeRow) -> None:
    rows = [make_row(end_user=name, organisation="acme", started_at_ms=THEN_MS) for name in ("eve", "bob")]
    Spool(store.directory).append(rows)
    order(store.engine, "acme")
    writer = UsageWriter(store.engine, store.directory, Settings(), erasures=KEPT)
    assert writer._read_chunk_back()
    with store.engine.connect() as connection:
        assert connection.execute(select(usage.c.end_user).order_by(usage.c.id)).scalars().all() == ["", "bob"]
        assert "eve" not in connection.execute(select(usage_rollups.c.name)).scalars().all()


def test_rows_that_waited_in_memory_come_without_the_name(store: Store, make_row: MakeRow) -> None:
    row = make_row(end_user="eve", organisation="acme", started_at_ms=THEN_MS)
    writer = UsageWriter(store.engine, store.directory, Settings(), erasures=KEPT)
    writer.put(row)
    order(store.engine, "acme")
    writer.forget_names()
    remembered = writer.find(row.request_id)
    assert remembered is not None and remembered.end_user == ""
    writer.start()
    writer.close()
    with store.engine.connect() as connection:
        assert connection.execute(select(usage.c.end_user)).scalars().all() == [""]


def test_a_key_s_people_are_those_of_the_keys_that_it_has_made(store: Store) -> None:
    made: list[str] = []
    for number, parent in enumerate((None, 0, 1, None)):
        at = "" if parent is None else made[parent]
        key = create_key(store.engine, PEPPER, Key(name=f"k{number}"), now_ms=number, parent=at).key
        made.append(key.id)
    with store.engine.connect() as connection:
        within = [connection.execute(tenants_within(tenant)).scalars().all() for tenant in (made[0], made[3], "")]
    assert [sorted(found) for found in within] == [sorted(made[1:3]), [], []]


def test_whose_a_row_is(store: Store, make_row: MakeRow) -> None:
    places = [("o", "t", "k"), ("", "t", "k"), ("", "", "k"), ("", "", "")]
    rows = [make_row(organisation=one, team=two, key_id=three) for one, two, three in places]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
        found = connection.execute(select(tenant_of(usage)).order_by(usage.c.id)).scalars().all()
    assert found == ["o", "t", "k", ""]
