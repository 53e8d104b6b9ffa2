from __future__ import annotations

from sqlalchemy import make_url

from dragoman.store.meta import read_meta, write_meta
from dragoman.store.migrate import ensure_current
from dragoman.store.sqlite import sqlite_engine


def test_a_value_is_written_replaced_and_undone(tmp_path: object) -> None:
    engine = sqlite_engine(make_url(f"sqlite:///{tmp_path}/t.db"), durable=False)
    ensure_current(engine)
    with engine.begin() as connection:
        assert read_meta(connection, "a") == ""
        write_meta(connection, "a", "1")
        write_meta(connection, "b", "x")
        write_meta(connection, "a", "2")
        assert read_meta(connection, "a") == "2"
    with engine.connect() as connection:
        write_meta(connection, "a", "3")
        connection.rollback()
        assert read_meta(connection, "a") == "2"
        assert read_meta(connection, "b") == "x"
