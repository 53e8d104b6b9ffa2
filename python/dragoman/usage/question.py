"""What can be asked of usage: by which dimensions, of whom, of what, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from dragoman.usage.cells import DAY_S, HOUR_S, MINUTE_S, NAMED_KINDS

# What rollups are by; what only rows tell; time.
ROLLED = ("organisation", "team", "user", "app", "key", "key_id", "alias", "provider", "model", *NAMED_KINDS)
ROWS_ONLY = ("deployment", "credential", "endpoint", "status", "error", "finish_reason")
TIME_STEPS_S = {"day": DAY_S, "hour": HOUR_S, "minute": MINUTE_S}
DIMENSIONS = (*ROLLED, *ROWS_ONLY, *TIME_STEPS_S)
FILTERS = (*ROLLED, *ROWS_ONLY)
MOST_FILTER_VALUES = 100

_PERIODS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_FORMS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%HZ", "minute": "%Y-%m-%dT%H:%MZ"}


class Scope(Struct, frozen=True, kw_only=True):
    """Whose usage may be told at all: all that is set must hold. Nothing outside it is in any figure."""

    organisation: str | None = None
    team: str | None = None
    user: str | None = None
    app: str | None = None
    key_id: str | None = None

    def narrowed(self) -> dict[str, str]:
        """What must hold, by column."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}


EVERYBODY = Scope()


class Question(Struct, frozen=True, kw_only=True):
    """What to add up: by these dimensions, from ``since_ms`` (included) to ``until_ms`` (not included), Unix time.

    ``where`` names for some dimensions the values that count. A request counts under a tag if that is one of its tags;
    grouped by tag as well, only the tags asked for are told.
    """

    by: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    where: Mapping[str, tuple[str, ...]] = {}
    scope: Scope = EVERYBODY
    with_times: bool = True  # without percentiles it takes half as long

    @property
    def dimensions(self) -> set[str]:
        """All that it is about."""
        return {*self.by, *self.where}


class BadQuestion(ValueError):
    """What is asked cannot be. ``name`` is that of the option or parameter."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def read_question(asked: Mapping[str, Sequence[str]], scope: Scope, now_ms: int) -> Question:
    """A question as options or a query's parameters put it.

    ``by`` is names with commas, ``since`` and ``until`` moments; every other is a filter, of which several values may
    be given. Empty values of ``by``, ``since`` and ``until`` say nothing. Raises ``BadQuestion``.
    """
    where: dict[str, tuple[str, ...]] = {}
    for name, values in asked.items():
        if name in ("by", "since", "until"):
            if len(values) > 1:
                raise BadQuestion(name, f"{name} is given {len(values)} times")
        elif name not in FILTERS:
            raise BadQuestion(name, f"{name!r} is none of by, since, until, {', '.join(FILTERS)}")
        elif len(values) > MOST_FILTER_VALUES:
            raise BadQuestion(name, f"at most {MOST_FILTER_VALUES} values")
        elif values:
            where[name] = tuple(dict.fromkeys(values))
    if "status" in where and not all(value.isdecimal() and len(value) <= 9 for value in where["status"]):
        raise BadQuestion("status", "a status is a number, such as 429")
    return Question(
        by=_dimensions("".join(asked.get("by", ()))),
        since_ms=_moment_ms(asked, "since", now_ms),
        until_ms=_moment_ms(asked, "until", now_ms),
        where=where,
        scope=scope,
    )


def parse_moment_ms(text: str, now_ms: int) -> int:
    """Unix milliseconds of ``7d`` (also m, h, w: so long ago), a date, or an RFC 3339 time; UTC where no zone is said.

    Raises ``ValueError``.
    """
    period = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if period:
        return now_ms - int(period[1]) * _PERIODS_MS[period[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a period (30m, 24h, 7d, 2w) nor a date (2026-11-30) nor a time"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def shown(name: str, value: object) -> str:
    """The value of a dimension, as it is told; of time, the number of the step since 1970."""
    step_s = TIME_STEPS_S.get(name)
    if step_s is None:
        return str(value)
    return datetime.fromtimestamp(int(str(value)) * step_s, UTC).strftime(_FORMS[name])


def _dimensions(text: str) -> tuple[str, ...]:
    names: Iterable[str] = (name.strip() for name in text.split(","))
    found = tuple(dict.fromkeys(name for name in names if name))
    for name in found:
        if name not in DIMENSIONS:
            raise BadQuestion("by", f"{name!r} is none of {', '.join(DIMENSIONS)}")
    return found


def _moment_ms(asked: Mapping[str, Sequence[str]], name: str, now_ms: int) -> int | None:
    text = "".join(asked.get(name, ()))
    try:
        return parse_moment_ms(text, now_ms) if text else None
    except (ValueError, OverflowError) as error:
        raise BadQuestion(name, str(error)) from error
