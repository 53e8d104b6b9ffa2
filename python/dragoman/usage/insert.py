"""Writes usage rows, many a statement.

Why not ``executemany``: it hands the GIL over and takes it back for every row. Beside a busy event loop each of these
exchanges may wait for the interpreter's switch interval, and one batch takes a second in place of three milliseconds
(measured: 1,700 us a row against 34). One statement with 64 rows costs one exchange for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import ValidationError, convert, structs
from sqlalchemy import Connection, Dialect

from dragoman.store.tables import usage
from dragoman.usage.row import UsageRow

ROWS_A_STATEMENT = (64, 8, 1)  # 64 rows of 49 values stay far below the 32,766 parameters SQLite takes
_LARGEST_INTEGER = 2**63 - 1


class RowInsert:
    """The statements for one database. Rows keep their order; the caller holds the transaction."""

    def __init__(self, dialect: Dialect) -> None:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in UsageRow.__struct_fields__)
        row = f"({', '.join([mark] * len(UsageRow.__struct_fields__))})"
        self._statements = [
            (count, f"INSERT INTO {quote(usage.name)} ({names}) VALUES {', '.join([row] * count)}")  # noqa: S608
            for count in ROWS_A_STATEMENT
        ]

    def __call__(self, connection: Connection, rows: Sequence[UsageRow]) -> None:
        """Insert all of them, or raise what the database raises."""
        start = 0
        for count, statement in self._statements:
            while len(rows) - start >= count:
                values: list[object] = []
                for row in rows[start : start + count]:
                    values += structs.astuple(row)
                connection.exec_driver_sql(statement, tuple(values))
                start += count


def storable(row: UsageRow) -> UsageRow | None:
    """The row with what no database takes replaced: lone surrogates, NUL characters, integers over 64 bits.

    Such values come from clients (an end user's name, say). To lose the row for them would be to let a client choose
    not to be billed. None: a field is of another type than it should be, and nothing can be done.
    """
    fields = {name: _storable(value) for name, value in structs.asdict(row).items()}
    try:
        return convert(fields, UsageRow)
    except ValidationError:
        return None


def _storable(value: object) -> object:
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode().replace("\0", "")
        return value if clean == value else clean
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return _LARGEST_INTEGER if value > 0 else -_LARGEST_INTEGER
    return value
