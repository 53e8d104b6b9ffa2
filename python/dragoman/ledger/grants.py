"""What the database lets be spent, where several processes count.

A row of the table is what was granted in a slot of time, to whomever (``claimed``), and what of it was surely spent.
Whoever wants to spend has it granted first, so what all of them spend together never comes to more than a limit,
whatever becomes of any of them and of Redis: what was granted and is never told of counts as spent. Figures change by
what is added to them, so that nobody's writing undoes another's. (A process that is killed between telling the table
what was spent and telling Redis that it has, is told of twice: in reports, not in what may be spent.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.ledger.figures import NEVER_MS
from dragoman.store.sqlite import begin_write
from dragoman.store.tables import ledger as table
from dragoman.store.transaction import in_transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
SEPARATOR = "\x1f"
# Nobody waits longer for a row that another has.
STATEMENT_TIMEOUT_MS = 1000
Errand = tuple[str, str, str, int, bool, list[tuple[int, int, int, int, int, int]]]
"""Of the shared ledger's: key, token, id, most, enforced, and of slots: begin, end, needed, wanted, back, spent."""
Account = tuple[str, str, str, str]
"""Name, measure, period, who."""
Granted = tuple[str, str, str, list[tuple[int, int, int, int, int]]]
"""Key, token, id, and of slots: begin, end, more, in all, told."""


class Line(Struct, frozen=True):
    """So much of one account, in its slot of now."""

    rule: int
    name: str
    measure: str
    period: str
    who: str
    slot_ms: int
    ends_ms: int
    most: int
    amount: int

    @property
    def account(self) -> Account:
        """Which one."""
        return self.name, self.measure, self.period, self.who


class Short(Struct, frozen=True):
    """A line that does not fit."""

    line: Line
    granted: int
    wait_ms: int | None  # until it fits


class Grants:
    """The table, as processes share it. Its methods wait for the database.

    Raises:
        SQLAlchemyError: nothing is written.
        Uncertain: nobody knows, so it is not said twice.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite

    def answer(self, errands: Sequence[Errand], now_ms: int) -> list[Granted]:
        """Do errands, all at once."""
        # In one order, so that no two wait for each other.
        ordered = sorted(errands, key=lambda one: one[2])
        return self._do(lambda connection: [self._answer(connection, errand, now_ms) for errand in ordered])

    def _answer(self, connection: Connection, errand: Errand, now_ms: int) -> Granted:
        key, token, name, most, enforced, slots = errand
        account = account_of(name)
        rows = self._rows(connection, account, now_ms)
        room = most - sum(claimed for _, claimed in rows.values())
        answers = []
        for slot_ms, ends_ms, needed, wanted, back, spent in slots:
            more = wanted if not enforced else max(0, min(wanted, room))
            more = more if more >= needed else 0
            known = rows.pop(slot_ms, (ends_ms, 0))[1]
            if more or back or spent:
                known = self._add(connection, account, (slot_ms, ends_ms), claimed=more - back, spent=spent)
            room += back - more
            answers.append((slot_ms, ends_ms, more, known, spent))
        answers += [(slot_ms, ends_ms, 0, claimed, 0) for slot_ms, (ends_ms, claimed) in rows.items()]
        return key, token, name, sorted(answers)

    def take(self, lines: Sequence[Line], now_ms: int) -> Short | None:
        """Have all lines granted, or none; then which does not fit, and waits longest for it."""

        def take(connection: Connection) -> Short | None:
            short: Short | None = None
            for line in sorted(lines, key=lambda one: one.account):
                rows = self._rows(connection, line.account, now_ms)
                granted = sum(claimed for _, claimed in rows.values())
                if granted + line.amount > line.most:
                    found = Short(line, granted, _wait_ms(rows, granted + line.amount - line.most, now_ms))
                    short = found if short is None or _is_longer(found, short) else short
                self._add(connection, line.account, (line.slot_ms, line.ends_ms), claimed=line.amount, spent=0)
            if short is not None:
                connection.rollback()
            return short

        return self._do(take)

    def settle(self, settled: Sequence[tuple[Line, int]]) -> None:
        """Put what was spent in the place of lines that were granted."""

        def settle(connection: Connection) -> None:
            for line, spent in sorted(settled, key=lambda one: one[0].account):
                self._lock(connection, line.account)
                slot = (line.slot_ms, line.ends_ms)
                self._add(connection, line.account, slot, claimed=spent - line.amount, spent=spent)

        self._do(settle)

    def _do(self, work: Callable[[Connection], T]) -> T:
        def begun(connection: Connection) -> T:
            if self._dialect is sqlite:
                begin_write(connection)
            return work(connection)

        return in_transaction(self._engine, begun, timeout_ms=STATEMENT_TIMEOUT_MS)

    def _rows(self, connection: Connection, account: Account, now_ms: int) -> dict[int, tuple[int, int]]:
        """What was granted in the slots that count: when each ends (0: never), and how much."""
        self._lock(connection, account)
        query = select(table.c.slot_ms, table.c.ends_ms, table.c.claimed, table.c.spent)
        query = query.where(*_is(account), table.c.ends_ms > now_ms).order_by(table.c.slot_ms)
        rows = connection.execute(query)
        return {row.slot_ms: (0 if row.ends_ms >= NEVER_MS else row.ends_ms, _used(row)) for row in rows}

    def _lock(self, connection: Connection, account: Account) -> None:
        """Alone with an account until the transaction ends: of several slots no row stands for all."""
        if self._dialect is postgresql:
            name = SEPARATOR.join(account)
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    def _add(
        self,
        connection: Connection,
        account: Account,
        slot: tuple[int, int],
        *,
        claimed: int,
        spent: int,
    ) -> int:
        """Add to a slot; what is granted of it now."""
        name, measure, period, who = account
        values = {"name": name, "measure": measure, "period": period, "who": who, "slot_ms": slot[0]}
        written = self._dialect.insert(table).values(
            **values, ends_ms=slot[1] or NEVER_MS, spent=max(0, spent), claimed=max(0, claimed)
        )
        added = {"spent": table.c.spent + spent, "claimed": table.c.claimed + claimed}
        keys = [column.name for column in table.primary_key]
        statement = written.on_conflict_do_update(index_elements=keys, set_=added).returning(table.c.claimed)
        return int(connection.execute(statement).scalar_one())


def account_of(name: str) -> Account:
    """An account by its name in the shared ledger: a sliding period is written in milliseconds there."""
    limit, measure, period, who = name.split(SEPARATOR, 3)
    if period.startswith("sliding:"):
        period = f"sliding:{int(period.removeprefix('sliding:')) / 1000:g}"
    return limit, measure, period, who


def _is(account: Account) -> list[Any]:
    columns = (table.c.name, table.c.measure, table.c.period, table.c.who)
    return [column == value for column, value in zip(columns, account, strict=True)]


def _used(row: Any) -> int:
    return max(int(row.claimed), int(row.spent))


def _wait_ms(rows: dict[int, tuple[int, int]], over: int, now_ms: int) -> int | None:
    for ends_ms, claimed in rows.values():
        over -= claimed
        if over <= 0:
            return ends_ms - now_ms if ends_ms else None
    return None


def _is_longer(one: Short, than: Short) -> bool:
    return than.wait_ms is not None and (one.wait_ms is None or one.wait_ms > than.wait_ms)
