"""Requests that the express way answers with what is kept: which may be, and what is put on record of them.

Nothing of them is sent, so it does not matter how their route is tried, nor what dialect its deployments speak.
"""

from __future__ import annotations

from math import ceil, inf
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from dragoman.access.cache_knobs import HEADERS
from dragoman.cache import kept as notes
from dragoman.cache.identity import apart_of
from dragoman.core import CachePass
from dragoman.usage.row import FIELDS, Tokens, changed

if TYPE_CHECKING:
    from dragoman.core import Given
    from dragoman.express import Passing
    from dragoman.gateway import Gateway
    from dragoman.routing.call import Call
    from dragoman.routing.run import Run
    from dragoman.usage.row import Cells

# Fields of a row that are what was kept has: each by where that has it.
_FIELDS = {
    "provider": "provider",
    "model": "model",
    "deployment": "name",
    "finish_reason": "finish_reason",
    **{f"{kind}_tokens": f"tokens.{kind}" for kind in Tokens.__struct_fields__},
}
_PLACES = [FIELDS.index(name) for name in (*_FIELDS, "saved_nanousd")]
_kept = attrgetter(*_FIELDS.values())


def wishes(headers: dict[str, str]) -> dict[str, str]:
    """The headers of a request that say how its answer is to be cached."""
    return {name: value for name, value in headers.items() if name in HEADERS}


def written(wishes: dict[str, str]) -> str:
    """The same as :class:`~dragoman.core.Express` reads them of a head."""
    return "".join(f"{name}:{value}\n" for name, value in wishes.items())


def pass_of(gateway: Gateway, call: Call, run: Run, told: Passing) -> CachePass | None:
    """What lets requests like one be answered with what is kept; ``None``: they are not to be, or not without Python,
    which holds them to limits and looks into them."""
    wish, snapshot, principal = call.knobs.cache_wish, told.snapshot, told.principal
    if wish.refresh or run.hold is not None or call.guarding is not None:
        return None
    apart = apart_of(call, told.plan, principal, snapshot.config.cache)
    expires_ms = principal.expires_at_ms
    return CachePass(
        {
            "told": replace(told, row=changed(told.row, usage_source="cache", cost_nanousd=0, cache="hit")),
            "apart": apart,
            "answers": gateway.answers.exact,
            "max_age_ms": None if wish.max_age_s is None else ceil(wish.max_age_s * 1000),
            "headers": [
                ("x-dragoman-snapshot", str(snapshot.number)),
                ("x-dragoman-attempts", "0"),
                ("x-dragoman-fallback-index", "0"),
            ],
            "keeps_bodies": gateway.auditor.trail.is_on,
            "until_s": inf if expires_ms is None else expires_ms / 1000,
        }
    )


def rows_of(given: Given) -> tuple[list[Cells], list[str]]:
    """The rows of requests that are over, and what the deployment is known as that once answered each."""
    told, noted = cast("Passing", given.told), given.notes()
    known = {note: notes.decode(note) for note in dict.fromkeys(noted)}
    values = {note: (*_kept(kept), kept.cost_nanousd or 0) for note, kept in known.items()}
    rows = given.rows(told.row, _PLACES, [values[note] for note in noted])
    return rows, [known[note].known_as for note in noted]
