"""What Claude's models take, by their names: facts that a request has to be fitted to."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from dragoman.dialects.continuity import bare

# ``budget``: thinking is given a number of tokens. ``either``: that or an effort. ``adaptive``: an effort alone.
# ``always``: an effort alone, and thinking cannot be turned off. ``none``: it does not think.
Thinks = Literal["none", "budget", "either", "adaptive", "always"]


class Claude(Struct, frozen=True, kw_only=True):
    """One generation of models."""

    thinks: Thinks
    max_output: int = 64_000
    sampling: bool = True  # takes temperature, top_p, top_k
    both_sampling: bool = False  # temperature and top_p at once
    prefill: bool = True  # the last turn may be the assistant's
    forced_tools: bool = True
    native_schema: bool = True
    late_system: bool = False
    cache_min: int = 1024  # tokens: a shorter prompt is not cached


_OLD = Claude(thinks="none", max_output=8_192, both_sampling=True, native_schema=False, cache_min=2_048)
_3_7 = Claude(thinks="budget", both_sampling=True, native_schema=False)
_4 = Claude(thinks="budget", max_output=32_000, native_schema=False)
_4_5 = Claude(thinks="budget", cache_min=4_096)
_SONNET_4_5 = Claude(thinks="budget")
_4_6 = Claude(thinks="either", max_output=128_000, prefill=False, cache_min=4_096)
_SONNET_4_6 = Claude(thinks="either", max_output=128_000, prefill=False)
_4_7 = Claude(thinks="adaptive", max_output=128_000, sampling=False, prefill=False, cache_min=2_048)
_4_8 = Claude(thinks="adaptive", max_output=128_000, sampling=False, prefill=False, late_system=True)
_5_5 = Claude(thinks="always", max_output=128_000, sampling=False, prefill=False, late_system=True, forced_tools=False)
_SONNET_5_5 = _5_5
_HAIKU_5_5 = Claude(thinks="adaptive", max_output=128_000, sampling=False, prefill=False, late_system=True)
_FABLE_5 = Claude(thinks="always", max_output=128_000, sampling=False, prefill=False, late_system=True)
_UNKNOWN = _4_8

# The first that a bare name matches counts.
_TABLE: tuple[tuple[re.Pattern[str], Claude], ...] = tuple(
    (re.compile(pattern), facts)
    for pattern, facts in (
        (r"claude-haiku-5-5", _HAIKU_5_5),
        (r"claude-sonnet-5-5", _SONNET_5_5),
        (r"claude-(?:opus-5-5|fable-5-1|mythos-5-1)", _5_5),
        (r"claude-(?:fable|mythos)-", _FABLE_5),
        (r"claude-(?:opus|sonnet|haiku)-(?:5|[6-9])(?![0-9])", _4_8),
        (r"claude-[a-z]+-4-8", _4_8),
        (r"claude-[a-z]+-4-7", _4_7),
        (r"claude-sonnet-4-6", _SONNET_4_6),
        (r"claude-[a-z]+-4-6", _4_6),
        (r"claude-sonnet-4-5", _SONNET_4_5),
        (r"claude-[a-z]+-4-5", _4_5),
        (r"claude-[a-z]+-4(?:-1)?(?![0-9])", _4),
        (r"claude-3-7", _3_7),
        (r"claude-(?:3|2|instant)", _OLD),
    )
)


def claude(model: str) -> Claude:
    """The facts of a model. One that is not known is taken for a new one."""
    name = bare(model)
    return next((facts for pattern, facts in _TABLE if pattern.match(name)), _UNKNOWN)


# What an effort comes to in tokens, where a model takes a budget.
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
LEAST_BUDGET = 1024
EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})


def effort_of(budget: int) -> str:
    """The effort that a budget of tokens comes to."""
    return "low" if budget <= 1024 else "medium" if budget <= 8192 else "high"
