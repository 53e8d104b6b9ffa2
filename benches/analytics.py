"""Usage of ten million requests: what questions about it take, and what a row takes to write.

The requests of 90 days, by 200 keys of 20 teams which call three of ten models each, some keys far more than others.
To write ten million rows takes too long for a bench, so their rollups are made as the usage writer would have made
them: the same tables and keys, counts that add up from hours to days, sketches of as many times (drawn from a stock).
Minutes are there of the last three days, as they are kept; tags by the day; end users of the last seven days. Of rows
there are those at the ends of a period that begins at an odd moment. Beside them stand real rows, fewer, read whole.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from dragoman.config.schema import Store as Settings
from dragoman.core import Quantiles
from dragoman.store.engine import Store, open_store
from dragoman.store.tables import usage_rollups, usage_series
from dragoman.usage.batch import batch_of
from dragoman.usage.cells import DAY_S, END_USER, HOUR_S, MINUTE_S, SERIES, TAG, Series, start_of
from dragoman.usage.forms import tell_usage
from dragoman.usage.insert import RowInsert
from dragoman.usage.question import Question
from dragoman.usage.report import report_usage
from dragoman.usage.rollup import Rollup
from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED

REQUESTS = 10_000_000
RAW_ROWS = 200_000
DAYS, KEYS, MODELS_A_KEY, USERS_A_KEY = 90, 200, 3, 25
HOUR_MS, DAY_MS = HOUR_S * 1000, DAY_S * 1000
BEGIN_MS = 20_700 * DAY_MS
END_MS = BEGIN_MS + DAYS * DAY_MS
ODD_MS = BEGIN_MS + 5 * HOUR_MS + 1_234_567
TARGET_MS = 1000
# What one request comes to: some are errors, some are hits.
SHARES: Mapping[str, float] = {
    "requests": 1,
    "errors": 0.02,
    "input_tokens": 900,
    "cached_input_tokens": 300,
    "output_tokens": 200,
    "cost_nanousd": 1_234_567,
    "hits": 0.05,
    "saved_tokens": 55,
    "saved_nanousd": 61_000,
    "total_us": 650_000,
}

Row = tuple[Any, ...]


class Traffic:
    """The series, how many requests each has an hour, and the cells that these make."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._stock: dict[int, list[bytes]] = {}
        self.series = [_series(key, (7 * key + 3 * of) % 10) for key in range(KEYS) for of in range(MODELS_A_KEY)]
        weights = [(1 + number // MODELS_A_KEY) ** -0.7 for number in range(len(self.series))]
        self._an_hour = [REQUESTS / DAYS / 24 * weight / sum(weights) for weight in weights]

    def cells(self) -> Iterator[Row]:
        """The rows of the table, day by day."""
        for day_ms in range(BEGIN_MS, END_MS, DAY_MS):
            for number, series in enumerate(self.series):
                yield from self._day(day_ms, series.id, number)

    def _day(self, day_ms: int, series: int, number: int) -> Iterator[Row]:
        total = 0
        for hour_ms in range(day_ms, day_ms + DAY_MS, HOUR_MS):
            count = self._around(self._an_hour[number])
            if count:
                yield self._cell((HOUR_S, SERIES, hour_ms, series, ""), count)
                if hour_ms >= END_MS - 3 * DAY_MS:
                    yield from self._minutes(hour_ms, series, count)
            total += count
        if not total:
            return
        yield self._cell((DAY_S, SERIES, day_ms, series, ""), total)
        key = number // MODELS_A_KEY
        for tag in (f"env-{key % 2}", *(f"feature-{(key + step) % 20}" for step in range(3))):
            yield self._cell((DAY_S, TAG, day_ms, series, tag), total if tag.startswith("env") else 1 + total // 3)
        if day_ms >= END_MS - 7 * DAY_MS:
            for user in range(USERS_A_KEY):
                yield self._cell((DAY_S, END_USER, day_ms, series, f"user-{key}-{user}"), 1 + total // USERS_A_KEY)

    def _minutes(self, hour_ms: int, series: int, count: int) -> Iterator[Row]:
        hits = [0] * 60
        for _ in range(count):
            hits[self._chance.randrange(60)] += 1
        for minute, some in enumerate(hits):
            if some:
                yield self._cell((MINUTE_S, SERIES, hour_ms + minute * MINUTE_S * 1000, series, ""), some)

    def _cell(self, place: Row, count: int) -> Row:
        counts = (int(count * SHARES.get(name, 0)) for name in COUNTED)
        return *place, *counts, self._sketch(count), self._sketch(count)

    def _around(self, expected: float) -> int:
        return int(max(0.0, self._chance.gauss(expected, expected**0.5)) + self._chance.random())

    def _sketch(self, count: int) -> bytes:
        """A sketch of about as many times."""
        size = min(count, 4096).bit_length()
        if size not in self._stock:
            self._stock[size] = []
            for _ in range(32):
                sketch = Quantiles()
                sketch.extend([self._chance.lognormvariate(6, 1) for _ in range(max(1, (1 << size) * 3 // 4))])
                self._stock[size].append(sketch.encoded())
        return self._chance.choice(self._stock[size])


def _series(key: int, model: int) -> Series:
    name = f"model-{model}"
    who = ("acme", f"team-{key % 20}", "", f"app-{key % 60}", f"key_{key:03}")
    return Series(*who, name, ("openai", "anthropic")[model % 2], name, has_tag=True, has_end_user=True, has_run=False)


def rows(chance: random.Random, series: list[Series], count: int, since_ms: int, until_ms: int) -> list[UsageRow]:
    """Real rows of some of the series, at random moments."""
    found = []
    for number in range(count):
        one = series[min(int(chance.paretovariate(0.6)) - 1, len(series) - 1)]
        found.append(
            UsageRow(
                **dict(zip(Series._fields[:8], one[:8], strict=True)),  # type: ignore[arg-type]
                request_id=f"req_{number:012}",
                started_at_ms=chance.randrange(since_ms, until_ms),
                snapshot=1,
                endpoint="chat",
                status=200,
                deployment=f"{one.model}-eu",
                attempts=1,
                finish_reason="stop",
                input_tokens=900,
                output_tokens=200,
                usage_source="provider",
                cost_nanousd=1_234_567,
                total_ms=chance.lognormvariate(6, 1),
                first_token_ms=chance.lognormvariate(5, 1),
            )
        )
    return found


def write(store: Store, found: list[UsageRow]) -> None:
    """Insert rows alone."""
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(found))


def fill(store: Store, traffic: Traffic) -> None:
    """Make the rollups, and the rows of the hours in which the odd period begins and ends."""
    marks = ", ".join("?" * len(usage_rollups.c))
    cells = sorted(traffic.cells(), key=lambda cell: cell[:5])
    with store.engine.begin() as connection:
        driver: Any = connection.connection
        known = [(series.id, *series, start_of(END_MS - 1, DAY_S)) for series in traffic.series]
        driver.executemany(f"INSERT INTO usage_series VALUES ({', '.join('?' * len(usage_series.c))})", known)
        driver.executemany(f"INSERT INTO usage_rollups VALUES ({marks})", cells)
        connection.exec_driver_sql("INSERT INTO meta VALUES ('usage_minutes_from_ms', ?)", (str(END_MS - 3 * DAY_MS),))
    an_hour = REQUESTS // DAYS // 24
    hour_ms = start_of(ODD_MS, HOUR_S)
    write(store, rows(random.Random(2), traffic.series, an_hour, hour_ms, hour_ms + HOUR_MS))


def bounded() -> dict[str, Question]:
    """The questions that must be answered in time."""
    week_ms = END_MS - 7 * DAY_MS
    return {
        "by team and model, 90 days": Question(by=("team", "model")),
        "by day, 90 days": Question(by=("day",)),
        "by key, from an odd moment on": Question(by=("key",), since_ms=ODD_MS),
        "by tag, 90 days": Question(by=("tag",)),
        "one team by model and day": Question(by=("model", "day"), where={"team": ("team-3",)}),
        "by end user, 7 days": Question(by=("end_user",), since_ms=week_ms),
        "by hour, 7 days": Question(by=("hour",), since_ms=week_ms),
        "by minute, a day": Question(by=("minute",), since_ms=END_MS - DAY_MS),
    }


def asked(store: Store, question: Question) -> tuple[float, int, int]:
    """The longest of three answers in milliseconds, with the number of groups and of requests."""
    longest_s = 0.0
    for _ in range(3):
        begun_s = time.perf_counter()
        report = report_usage(store.engine, question)
        longest_s = max(longest_s, time.perf_counter() - begun_s)
    return longest_s * 1000, len(report.groups), report.whole.requests


def questions() -> Iterator[dict[str, Any]]:
    """The rows about reading."""
    chance = random.Random(1)
    traffic = Traffic(chance)
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        store = open_store(Settings(data_dir=folder), {}, role="server")
        fill(store, traffic)
        for name, question in bounded().items():
            ms, groups, requests = asked(store, question)
            kept = "pass" if ms <= TARGET_MS else "**fail**"
            told = {"requests": f"{requests:,}", "groups": groups, "ms": round(ms), "target": f"at most {TARGET_MS} ms"}
            yield {"question": name, "read": "rollups"} | told | {" ": kept}
        begun_s = time.perf_counter()
        lines = tell_usage(store.engine, Question(), "focus").text.count("\n") - 1
        ms = round((time.perf_counter() - begun_s) * 1000)
        yield {"question": "FOCUS, 90 days", "read": "rollups", "requests": "", "groups": lines, "ms": ms}
        store.close()
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        store = open_store(Settings(data_dir=folder), {}, role="server")
        write(store, rows(chance, traffic.series, RAW_ROWS, BEGIN_MS, END_MS))
        for name, by in (("by team and model", ("team", "model")), ("by day", ("day",))):
            # A dimension that no rollup has, of one value: the same groups, from rows.
            question = Question(by=by, where={"endpoint": ("chat",)})
            ms, groups, requests = asked(store, question)
            yield {
                "question": f"{name}, as {REQUESTS // RAW_ROWS} times fewer",
                "read": "rows",
                "requests": f"{requests:,}",
                "groups": groups,
                "ms": round(ms),
            }
        store.close()


def writing() -> Iterator[dict[str, Any]]:
    """The rows about writing: CPU time of the writer's thread, in batches as under load."""
    series = Traffic(random.Random(1)).series
    some = {"a key of one model": series[:1], f"{len(series)} series": series}
    for name, chosen in some.items():
        yield {"write a row": name, **written(chosen, named=False)}
    yield {"write a row": "each with an end user, a run and two tags of its own", **written(series, named=True)}


def written(series: list[Series], *, named: bool) -> dict[str, float]:
    """Microseconds a row, without rollups and with them."""
    chance = random.Random(3)
    batches = []
    for number in range(24):
        batch = rows(chance, series, 512, BEGIN_MS + number * 100, BEGIN_MS + number * 100 + 100)
        if named:
            batch = [
                replace(row, end_user=f"u{number}-{at}", run=f"r{number}-{at}", tags=f"a{number}-{at},b{number}-{at}")
                for at, row in enumerate(batch)
            ]
        batches.append(batch)
    taken = {}
    for name in ("rows alone", "with rollups"):
        with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
            store = open_store(Settings(data_dir=folder), {}, role="server")
            insert, rollup = RowInsert(store.engine.dialect), Rollup(store.engine.dialect)
            begun_s = 0.0
            for turn, batch in enumerate(batches):
                begun_s = time.thread_time() if turn == 4 else begun_s
                with store.engine.begin() as connection:
                    read = batch_of(batch)
                    insert(connection, read)
                    if name == "with rollups":
                        rollup.add(connection, read)
            taken[f"{name}, us"] = round((time.thread_time() - begun_s) / 512 / (len(batches) - 4) * 1e6, 1)
            store.close()
    return taken


def main() -> int:
    """Measure, print; fail when a question takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = {"questions": list(questions()), "the usage writer's CPU time": list(writing())}
    if parser.parse_args().json:
        print(json.dumps(found))
    else:
        for row in (*found["questions"], *found["the usage writer's CPU time"]):
            print("  ".join(f"{value!s:>12}" for value in row.values()))
    return 0 if all(row.get(" ") != "**fail**" for row in found["questions"]) else 2


if __name__ == "__main__":
    sys.exit(main())
