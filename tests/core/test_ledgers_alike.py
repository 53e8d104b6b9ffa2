"""Both ledgers are one: whatever is asked of them in whatever order, at whatever time, they answer the same."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
from tests.core.awaited import reserve

from dragoman.core import Hold, Ledger, LedgerScope, Redis, Refused, SharedLedger

NOW_MS = 1_795_996_800_000 - 60_000  # a minute before a day ends, and a month
RULES: tuple[tuple[str, int, str, float | None], ...] = (
    ("requests", 7, "sliding", 60.0),
    ("requests", 40, "day", None),
    ("tokens", 900, "sliding", 3600.0),
    ("tokens", 2000, "sliding", 86_400.0),
    ("cost", 5000, "month", None),
    ("cost", 9000, "ever", None),
    ("concurrent", 3, "ever", None),
)
STEPS_MS = (0, 0, 0, 1, 20, 900, 1000, 1001, 17_000, 61_000, 3_700_000, 90_000_000)


class Database:
    """What grants whatever is asked for, and remembers it."""

    def __init__(self) -> None:
        self.granted: dict[tuple[str, int], int] = defaultdict(int)
        self.ends: dict[tuple[str, int], int] = {}
        self.spent = 0

    def answer(self, errands: list[Any], now_ms: int) -> list[Any]:
        rows = []
        for key, token, name, _, _, slots in errands:
            told = {}
            for slot_ms, ends_ms, _, wanted, back, spent in slots:
                self.granted[name, slot_ms] += wanted - back
                self.ends[name, slot_ms] = ends_ms
                self.spent += spent
                told[slot_ms] = (slot_ms, ends_ms, wanted, self.granted[name, slot_ms], spent)
            for (of, slot_ms), granted in self.granted.items():
                ends_ms = self.ends[of, slot_ms]
                if of == name and (ends_ms == 0 or ends_ms > now_ms):
                    told.setdefault(slot_ms, (slot_ms, ends_ms, 0, granted, 0))
            rows.append((key, token, name, [told[slot_ms] for slot_ms in sorted(told)]))
        return rows


class Pair:
    """The two, at the same time."""

    def __init__(self, redis: Redis, chance: random.Random) -> None:
        self.chance = chance
        self.here, self.there = Ledger(), redis.ledger("p")
        self.database = Database()
        self.now_ms = NOW_MS
        self.under_way: list[tuple[Hold, Hold, int]] = []
        self.freeze()
        durable = chance.random() < 0.5
        rules = chance.sample(RULES, chance.randrange(1, len(RULES)))
        self.enforced = [chance.random() < 0.85 for _ in rules]
        self.scopes: list[tuple[LedgerScope, LedgerScope]] = []
        self.numbers: dict[int, int] = {}
        for who in ("a", "b"):
            parts: list[list[tuple[int, str]]] = [[], []]
            for place, (measure, most, period, sliding_s) in enumerate(rules):
                for ledger, found in zip((self.here, self.there), parts, strict=True):
                    lasting = durable and measure != "concurrent" and (sliding_s or 86_400) >= 86_400
                    number = ledger.rule(
                        f"rule {place}",
                        measure,
                        most,
                        period=period,
                        sliding_s=sliding_s,
                        enforced=self.enforced[place],
                        durable=lasting,
                        levels=[0.5, 0.9],
                    )
                    found.append((number, who if place % 2 else "all"))
            self.scopes.append((self.here.scope(parts[0]), self.there.scope(parts[1])))

    def freeze(self) -> None:
        self.here.freeze(self.now_ms)
        self.there.freeze(self.now_ms)

    def reserve(self) -> None:
        here, there = self.chance.choice(self.scopes)
        amounts = {"tokens": self.chance.randrange(400), "cost_nanousd": self.chance.randrange(1500)}
        while (one := self.here.reserve(here, **amounts)) is None:
            self.here.saved(self.here.unsaved())
        while isinstance(other := reserve(self.there, there, **amounts), list):
            self.there.grant(self.database.answer(other, self.now_ms))
        assert other is not None
        assert shown(one) == shown(other)
        if isinstance(one, Hold) and isinstance(other, Hold):
            self.under_way.append((one, other, amounts["cost_nanousd"]))

    def end(self) -> None:
        if not self.under_way:
            return
        one, other, most = self.under_way.pop(self.chance.randrange(len(self.under_way)))
        if self.chance.random() < 0.2:
            one.release()
            other.release()
        elif self.chance.random() < 0.2:
            del one, other  # nobody has settled them
        else:
            used = {"tokens": self.chance.randrange(400), "cost_nanousd": self.chance.randrange(most + 1)}
            one.settle(**used)
            other.settle(**used)

    def tell(self) -> None:
        self.here.saved(self.here.unsaved())
        errands = self.there.collect()
        if errands:
            self.there.grant(self.database.answer(errands, self.now_ms))

    def compare(self) -> None:
        for here, there in self.scopes:
            assert standings(self.here, here) == standings(self.there, there)


def shown(answer: Any) -> Any:
    if isinstance(answer, Refused):
        return answer.rule, answer.who, answer.used, answer.asked, answer.wait_s
    return answer.shadowed, left(answer.requests_left), left(answer.tokens_left)


def left(told: Any) -> Any:
    return told and told[:2]


def standings(ledger: Ledger | SharedLedger, scope: LedgerScope) -> list[Any]:
    return [(one.rule, one.who, one.spent, one.held) for one in ledger.standings(scope)]


@pytest.mark.parametrize("seed", range(25))
def test_they_answer_the_same(redis: Redis, seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(redis, chance)
    for _ in range(150):
        chance.choice((pair.reserve, pair.reserve, pair.reserve, pair.end, pair.end, pair.tell))()
        if chance.random() < 0.3:
            pair.now_ms += chance.choice(STEPS_MS)
            pair.freeze()
        pair.compare()
    while pair.under_way:
        pair.end()
    pair.compare()
    assert pair.there.held == pair.here.held == 0
    assert sorted(pair.here.crossings()) == sorted(pair.there.crossings())
