"""Which of several processes may send the probe to a deployment whose cooldown is over.

Each process has breakers of its own, and with sixteen of them a deployment that is getting up again was met by sixteen
probes at once. The right to send one is a key in Redis, which is asked for only when a breaker lets a probe out, so
what is well costs nothing. Whoever has it renews it while its probe is out, and then leaves there what has come of it:
that it is well, or ill for as long as its cooldown lasts, so that those who have missed the news are told when they
ask. One that dies leaves the right to the next a few seconds later. While Redis is away each process probes for itself.
"""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import TYPE_CHECKING

from dragoman.driver import driven

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.core import Balancer, MemberState, Redis, Ticket

# Others may probe so long after the process was last heard of that has a probe out.
LEASE_S = 5.0
# So long it is known that a probe has found a deployment well.
WELL_S = 5.0
# Nobody asks again sooner.
LEAST_S = 0.05
WELL, ILL = b"well", b"ill"


class Probing:
    """One process's share in it."""

    def __init__(self, redis: Redis, balancer: Balancer, origin: str) -> None:
        """:param origin: what tells this process from all others."""
        self.redis = redis
        self.balancer = balancer
        self.origin = origin
        self.cools: Callable[[str, float], object] = balancer.cool_down  # by what others have found
        self._mine = origin.encode()
        self._lock = Lock()
        self._out: set[str] = set()  # members to which the probe is this process's

    async def permits(self, ticket: Ticket) -> bool:
        """Whether an attempt may be made that a ticket is for.

        ``False``: it is another process's. The ticket is given back, and the member cools down until more is known.
        """
        if ticket.reason != "probe":
            return True
        name = self.balancer.members()[ticket.index].name
        found = await self.redis.claim(_key(name), self._mine, LEASE_S)
        if found is None:
            return True
        value, left_s = found
        if value == self._mine:
            with self._lock:
                self._out.add(name)
            return True
        ticket.finish_cancelled(None)
        if value == WELL:
            self.balancer.recover(name)
        else:
            self.cools(name, max(left_s, LEAST_S))
        return False

    async def permits_on_loop(self, ticket: Ticket) -> bool:
        """The same, for what runs on the event loop."""
        found: list[bool] = []

        async def ask() -> None:
            found.append(await self.permits(ticket))

        await driven(ask(), asyncio.get_running_loop())
        return found[0]

    def look(self) -> list[str]:
        """Renew rights while probes are out, and leave there what has come of them: a few times a second.

        Returns:
            Members that are well again.
        """
        with self._lock:
            out = set(self._out)
        return [one.name for one in self.balancer.members() if one.name in out and self._tell(one)] if out else []

    def _tell(self, member: MemberState) -> bool:
        """What has come of a probe of ours. True: the member is well."""
        key = _key(member.name)
        if member.breaker == "half_open":
            self.redis.put(key, self._mine, LEASE_S)
            return False
        with self._lock:
            self._out.discard(member.name)
        if member.breaker == "closed":
            self.redis.put(key, WELL, WELL_S)
            return True
        # No cooldown: it was cancelled, which says nothing.
        self.redis.put(key, ILL, member.cooldown_left_s)
        return False


def _key(name: str) -> bytes:
    return b"probe:" + name.encode()
