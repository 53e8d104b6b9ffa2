from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dragoman.usage.question import (
    DIMENSIONS,
    EVERYBODY,
    FILTERS,
    BadQuestion,
    Question,
    Scope,
    parse_moment_ms,
    read_question,
    shown,
)

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)


def read(**asked: tuple[str, ...]) -> Question:
    return read_question(asked, EVERYBODY, NOW_MS)


def test_a_question_is_read() -> None:
    scope = Scope(team="t")
    asked = {"by": ("team, day",), "since": ("1h",), "until": ("",), "model": ("m", "n", "m"), "tag": ("",)}
    found = read_question(asked, scope, NOW_MS)
    assert found == Question(
        by=("team", "day"), since_ms=NOW_MS - 3_600_000, where={"model": ("m", "n"), "tag": ("",)}, scope=scope
    )
    assert found.dimensions == {"team", "day", "model", "tag"}


def test_nothing_asks_for_the_whole() -> None:
    assert read(by=("",), since=("",), team=()) == Question()


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"by": ("planet",)}, "by"),
        ({"by": ("team'; DROP TABLE usage; --",)}, "by"),
        ({"by": ("team", "user")}, "by"),
        ({"since": ("never",)}, "since"),
        ({"until": ("9999999d",)}, "until"),
        ({"planet": ("x",)}, "planet"),
        ({"day": ("2026-11-30",)}, "day"),
        ({"status": ("4xx",)}, "status"),
        ({"status": ("9" * 30,)}, "status"),
        ({"team": tuple(map(str, range(101)))}, "team"),
    ],
)
def test_what_is_no_question_says_why(asked: dict[str, tuple[str, ...]], name: str) -> None:
    with pytest.raises(BadQuestion) as refused:
        read(**asked)
    assert refused.value.name == name


def test_a_scope_is_all_that_is_set() -> None:
    assert Scope(team="", key_id="k").narrowed() == {"team": "", "key_id": "k"}
    assert EVERYBODY.narrowed() == {}


def test_what_can_be_grouped_by_can_be_filtered_but_for_time() -> None:
    assert set(DIMENSIONS) - set(FILTERS) == {"day", "hour", "minute"}


def test_steps_are_shown_as_their_beginning() -> None:
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp()
    assert shown("day", int(at // 86_400)) == "2026-11-23"
    assert shown("hour", int(at // 3600)) == "2026-11-23T09Z"
    assert shown("minute", int(at // 60)) == "2026-11-23T09:30Z"
    assert shown("status", 429) == "429"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 16, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 9, 12, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_moments_are_read(text: str, moment: datetime) -> None:
    assert parse_moment_ms(text, NOW_MS) == moment.timestamp() * 1000


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7y", "9999999d", "tomorrow", "2026-13-01", "d7"])
def test_other_text_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="neither a period"):
        parse_moment_ms(text, NOW_MS)
