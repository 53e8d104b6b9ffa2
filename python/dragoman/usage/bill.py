"""Reads what a provider says that it was paid for: its costs, exported as CSV.

The layouts of OpenAI and Anthropic are known by their columns; any other file is read by the columns named for it. A
file is somebody else's: its size is bounded, and what is wrong with it is told with its line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

from msgspec import Struct

from dragoman.usage.sums import NANO

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_AMOUNT = 10**9
FIELDS = ("date", "model", "amount")
# Which columns hold the fields; the first layout is taken of which a file has all.
LAYOUTS: tuple[Mapping[str, str], ...] = (
    {"date": "start_time_iso", "model": "line_item", "amount": "amount_value"},  # OpenAI
    {"date": "usage_date_utc", "model": "model", "amount": "cost_usd"},  # Anthropic
    {"date": "date", "model": "model", "amount": "amount"},
)
CURRENCY_COLUMNS = ("amount_currency", "currency")


class BadBill(ValueError):
    """A file that is no such export; the message says where."""


class Bill(Struct, frozen=True):
    """Costs by day and model (as ``plain_model`` writes it), of all days from the first to the last."""

    first: date
    last: date
    costs: dict[tuple[str, str], int]  # nano-dollars


def read_bill(path: Path, mapped: Mapping[str, str]) -> Bill:
    """Read a file; ``mapped`` says which columns hold ``FIELDS``, where that is not known. Raises ``BadBill``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadBill(f"larger than {MAX_BYTES >> 20} MiB; export a shorter period")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadBill(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadBill(f"not UTF-8 at byte {error.start}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _places(header, mapped)
        currency = next((header.index(name) for name in CURRENCY_COLUMNS if name in header), None)
        return _sum(_lines(reader, places, currency), places)
    except csv.Error as error:
        raise BadBill(f"line {reader.line_num}: no CSV: {error}") from error


def plain_model(name: str) -> str:
    """The name of a model without what tells nothing: case, punctuation, its date; numbers last.

    So ``Claude Haiku 4.5`` and ``claude-haiku-4-5-20251001`` are the same, and so are ``gpt-4o`` and
    ``gpt-4o-2024-08-06, input``, which is how OpenAI's export names what it charges for.
    """
    text = re.split(r"[,|]", name, maxsplit=1)[0].strip().lower()
    text = re.sub(r"[-@ ](\d{4}-\d{2}-\d{2}|20\d{6}|latest)$", "", text)
    words = [word for word in re.split(r"[^a-z0-9]+", text) if word]
    return "-".join(sorted(words, key=str.isdecimal))


def _places(header: list[str], mapped: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """The number and name of the column of each field."""
    for name in mapped.values():
        if name not in header:
            raise BadBill(f"line 1: there is no column {name!r}; there are {', '.join(map(repr, header[:20]))}")
    known = next((layout for layout in LAYOUTS if set({**layout, **mapped}.values()) <= set(header)), None)
    if known is None:
        raise BadBill(
            f"line 1: no layout that is known, among the columns {', '.join(map(repr, header[:20]))}; say which hold "
            "the date, the model and the amount: --map date=COLUMN --map model=COLUMN --map amount=COLUMN"
        )
    columns = {**known, **mapped}
    for name in columns.values():
        if header.count(name) > 1:
            raise BadBill(f"line 1: two columns are named {name!r}")
    return {field: (header.index(name), name) for field, name in columns.items()}


def _lines(
    reader: Iterator[list[str]], places: Mapping[str, tuple[int, str]], currency: int | None
) -> Iterator[tuple[int, dict[str, str]]]:
    """The fields of each line that charges something, with its number."""
    widest = max(at for at, _ in places.values())
    for count, cells in enumerate(reader, 1):
        line: int = reader.line_num  # type: ignore[attr-defined]
        if count > MAX_ROWS:
            raise BadBill(f"line {line}: more than {MAX_ROWS:,} rows; export a shorter period")
        if not any(map(str.strip, cells)):
            continue
        if len(cells) <= widest:
            raise BadBill(f"line {line}: {len(cells)} cells, and column {widest + 1} is needed")
        fields = {field: cells[at].strip() for field, (at, _) in places.items()}
        if not fields["amount"]:
            continue  # a day without costs, as OpenAI exports it
        unit = cells[currency].strip() if currency is not None and currency < len(cells) else ""
        if unit.upper() not in ("", "USD"):
            raise BadBill(f"line {line}, column {currency + 1 if currency else 1}: {unit!r}; only dollars are compared")
        yield line, fields


def _sum(lines: Iterator[tuple[int, dict[str, str]]], places: Mapping[str, tuple[int, str]]) -> Bill:
    costs: dict[tuple[str, str], int] = {}
    days = set()
    for line, fields in lines:
        try:
            day = _day(fields["date"])
        except ValueError:
            raise BadBill(f"{_at(line, places, 'date')}: {fields['date']!r} is no date such as 2026-11-30") from None
        try:
            cost = _nanousd(fields["amount"])
        except (InvalidOperation, ValueError):
            raise BadBill(f"{_at(line, places, 'amount')}: {fields['amount']!r} is no amount of dollars") from None
        days.add(day)
        key = day.isoformat(), plain_model(fields["model"])
        costs[key] = costs.get(key, 0) + cost
    if not days:
        raise BadBill("no line charges anything")
    return Bill(min(days), max(days), costs)


def _at(line: int, places: Mapping[str, tuple[int, str]], field: str) -> str:
    at, name = places[field]
    return f"line {line}, column {at + 1} ({name})"


def _day(text: str) -> date:
    """The day in UTC; a number is Unix seconds."""
    if text.isdecimal() and len(text) == 10:
        return datetime.fromtimestamp(int(text), UTC).date()
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).date() if moment.tzinfo else moment.date()


def _nanousd(text: str) -> int:
    amount = Decimal(text.replace("$", "").replace(",", ""))
    if not amount.is_finite() or abs(amount) > MAX_AMOUNT:
        raise ValueError(text)
    return int((amount * NANO).to_integral_value(ROUND_HALF_EVEN))
