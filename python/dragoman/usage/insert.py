"""Writes usage rows, many at once.

Why not ``executemany``: it hands the GIL over and takes it back for every row. Beside a busy event loop each of these
exchanges may wait for the interpreter's switch interval, and one batch takes a second in place of three milliseconds
(measured: 1,700 us a row against 34). One statement with 64 rows costs SQLite one exchange for all of them. And since
to bind a value costs more than to store it, fields that are the same in all rows of a batch are bound once.

PostgreSQL takes rows by COPY, in the same transaction: a tenth of what a statement with so many values costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import ValidationError, convert, structs
from sqlalchemy import Connection, Dialect

from dragoman.core import UsageBatch
from dragoman.store import driver
from dragoman.store.tables import usage
from dragoman.usage.row import FIELDS, Cells, UsageRow

ROWS_A_STATEMENT = (64, 32, 16, 8, 4, 2, 1)  # of 49 values at most: SQLite takes 32,766 parameters
BATCHES_REMEMBERED = 10_000
_LARGEST_INTEGER = 2**63 - 1


class RowInsert:
    """Writes rows to one database, in their order. The caller holds the transaction."""

    def __init__(self, dialect: Dialect) -> None:
        quote = dialect.identifier_preparer.quote
        self._copy = f"COPY {_into(quote, range(len(FIELDS)))} FROM STDIN" if dialect.name == "postgresql" else ""
        self._statements = _Statements(quote, frozenset())
        self._quote = quote

    def __call__(self, connection: Connection, batch: UsageBatch) -> None:
        """Insert all of them, or raise what the database raises."""
        if self._copy:
            driver.copy(connection, self._copy, batch.rows)
            return
        known = self._statements
        # New statements cost as much as many rows: so what has varied is expected to do so again, for some time.
        if known.batches >= BATCHES_REMEMBERED:
            self._statements = _Statements(self._quote, batch.varying)
        elif not batch.varying <= known.varying:
            self._statements = _Statements(self._quote, batch.varying | known.varying)
        self._statements.execute(connection, batch)


class _Statements:
    """SQLite's, for batches in which no other fields vary than these, by their places."""

    def __init__(self, quote: Callable[[str], str], varying: frozenset[int]) -> None:
        self.varying = varying
        self.batches = 0
        self._once = [at for at in range(len(FIELDS)) if at not in varying]
        self._each = sorted(varying)
        marks = [f"?{number}" for number, _ in enumerate(self._once, 1)] + ["?"] * len(self._each)
        into, row = _into(quote, self._once + self._each), f"({', '.join(marks)})"
        self._texts = [
            (count, f"INSERT INTO {into} VALUES {', '.join([row] * count)}")  # noqa: S608
            for count in ROWS_A_STATEMENT
        ]

    def execute(self, connection: Connection, batch: UsageBatch) -> None:
        """Insert a batch that they suit."""
        self.batches += 1
        start, left = 0, len(batch.rows)
        for count, text in self._texts:
            while left >= count:
                driver.execute(connection, text, batch.values(self._once, self._each, start, count))
                start, left = start + count, left - count


def _into(quote: Callable[[str], str], places: Iterable[int]) -> str:
    """The table, and some of its columns."""
    return f"{quote(usage.name)} ({', '.join(quote(FIELDS[at]) for at in places)})"


def storable(cells: Cells) -> Cells | None:
    """The row with what no database takes replaced: lone surrogates, NUL characters, integers over 64 bits.

    Such values come from clients (an end user's name, say). To lose the row for them would be to let a client choose
    not to be billed. None: a field is of another type than it should be, and nothing can be done.
    """
    fields = {name: _storable(value) for name, value in zip(FIELDS, cells, strict=True)}
    try:
        return structs.astuple(convert(fields, UsageRow))
    except ValidationError:
        return None


def _storable(value: object) -> object:
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode().replace("\0", "")
        return value if clean == value else clean
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return _LARGEST_INTEGER if value > 0 else -_LARGEST_INTEGER
    return value
