"""Facts about Gemini models that the API refuses requests over, by name.

A name without a generation counts as of the newest, because aliases such as ``gemini-flash-latest`` are; the numbers of
``gemini-omni-1.1-flash`` or ``gemini-exp-1206`` count something else.
"""

from __future__ import annotations

import re

_VERSION = re.compile(r"(?:gemini|gemma)-([0-9])(?:\.([0-9]+))?(?![0-9a-z])")
_NEWEST = (3, 0)
# Efforts as levels of thinking, for models of the third generation on; no model is known to take a higher one.
LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
# Efforts as tokens to think, for those before.
BUDGETS = {"minimal": 1, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}


def version_of(model: str) -> tuple[int, int]:
    """The generation that a model is of."""
    found = _VERSION.search(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST


def takes_level(model: str) -> bool:
    """Whether it is told how much to think by a level; the same models require signatures at calls."""
    return version_of(model) >= (3, 0) and "gemma" not in model.lower()


def thinks(model: str) -> bool:
    """Whether it takes any word on thinking."""
    return version_of(model) >= (2, 5) and "gemma" not in model.lower()


def always_thinks(model: str) -> bool:
    """Whether a budget of nought is refused."""
    return version_of(model) == (2, 5) and "pro" in model.lower()


def takes_json_schema(model: str) -> bool:
    """Whether ``parametersJsonSchema`` and ``responseJsonSchema`` are taken."""
    return thinks(model)


def budget_for(model: str, budget: int) -> int:
    """The nearest budget that a model takes; below nought it sees for itself, at nought it does not think."""
    if budget < 0:
        return -1
    if always_thinks(model):
        return min(max(budget, 128), 32768)
    least = 512 if budget and "lite" in model.lower() else 0
    return min(max(budget, least), 24576)
