"""A second attempt beside a slow first one.

When the first answer is later than most have been lately (the live percentile of first-token latency), the request goes
to another member as well; the first to answer is heard, the other given up. Both are paid for, so the extra is capped,
and while many are slow there is no hedging at all: that is an outage, not a straggler (Dean and Barroso, The Tail at
Scale). Only streams are hedged: how long a whole answer takes says more of its length than of its deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.driver import FirstOf

if TYPE_CHECKING:
    from dragoman.config.schema import Hedge
    from dragoman.errors import RequestError
    from dragoman.routing.attempt import Attempt
    from dragoman.routing.attempts import Tries
    from dragoman.routing.plan import PlanTier


async def hedged(tries: Tries, tier: PlanTier, first: Attempt, hedge: Hedge) -> RequestError | None:
    """The error of an attempt that may be hedged; ``None`` where the client has its answer."""
    delay_s = tries.gateway.balancer.hedge_delay_s(tier.tier, hedge.percentile, hedge.max_extra_share)
    if delay_s is None:
        return await first.answer()
    if await FirstOf([first.exchange], max(delay_s, hedge.min_delay_s)) is not None:
        return first.conclude(first.exchange.result())
    second = _second(tries, tier, first, hedge)
    if second is None:
        return await first.answer()
    ended = await FirstOf([first.exchange, second.exchange], None)
    earlier, later = (first, second) if ended is first.exchange else (second, first)
    outcome = earlier.exchange.result()
    if outcome.failure == "beaten":
        earlier.conclude_beaten(outcome)
        return later.conclude(await later.exchange)
    error = earlier.conclude(outcome)
    if error is None or outcome.written:
        later.exchange.cancel()
        later.conclude_beaten(await later.exchange)
        return error
    return later.conclude(await later.exchange)


def _second(tries: Tries, tier: PlanTier, first: Attempt, hedge: Hedge) -> Attempt | None:
    """A second attempt, at another member; ``None`` where there is none, or no money for it."""
    if tries.run.request.reply.taken():
        return None
    ticket = tries.choose(tier, tried=tries.tried, last_resort=False)
    if ticket is None or (ticket.reason == "probe" and tries.gateway.probing is not None):  # it may be another's
        return None
    if not tries.gateway.balancer.may_hedge(first.ticket.index, hedge.max_extra_share):
        return None
    return tries.begin(tier, ticket) if tier.members[ticket.index].is_ready else None
