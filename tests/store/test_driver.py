from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from dragoman.store import driver
from dragoman.store.engine import Store
from dragoman.store.meta import read_meta, write_meta

INSERT = "INSERT INTO meta (name, value) VALUES (?, ?)"


def test_what_is_carried_out_is_part_of_the_transaction(store: Store) -> None:
    with store.engine.connect() as connection:
        assert driver.execute(connection, INSERT, ("a", "1")) == []
        assert connection.in_transaction()
        assert driver.execute(connection, "SELECT name, value FROM meta WHERE name = 'a'") == [("a", "1")]
        connection.rollback()
        assert read_meta(connection, "a") == ""
    with store.engine.begin() as connection:
        write_meta(connection, "b", "2")
        driver.execute(connection, INSERT, ("a", "1"))
    with store.engine.connect() as connection:
        assert [read_meta(connection, name) for name in "ab"] == ["1", "2"]


def test_what_is_refused_is_told_as_of_any_statement(store: Store) -> None:
    refused = [
        ("INSERT INTO nowhere VALUES (?)", (1,), OperationalError),
        (INSERT, ("a", None), IntegrityError),
        (INSERT, ("a",), ProgrammingError),
    ]
    for statement, parameters, error in refused:
        with pytest.raises(error) as caught, store.engine.begin() as connection:
            driver.execute(connection, statement, parameters)
        assert caught.value.orig is not None
        assert not caught.value.connection_invalidated
    for value, other in ((2**80, OverflowError), ("\ud800", UnicodeEncodeError)):
        with pytest.raises(other), store.engine.begin() as connection:
            driver.execute(connection, INSERT, ("a", value))
    with store.engine.begin() as connection:
        assert read_meta(connection, "a") == ""
