from __future__ import annotations

from typing import Any

from dragoman.config.schema import Timeouts
from dragoman.core import Balancer, TokenCounter
from dragoman.dialects.dialect import Target
from dragoman.routing.plan import Deployment, Door, Member, Plan, PlanTier
from dragoman.usage.price import UNPRICED

DOOR = Door(base_url="", headers=[], allow_private=False, proxy="", ca_pem=None, pins=[])


def plan(alias: str, *names: str, **fields: Any) -> Plan:
    balancer = Balancer()
    tiers = []
    for name in names:
        deployment = Deployment(
            name=name,
            known_as=name,
            provider="p",
            model="m",
            domain="d",
            timeouts=Timeouts(),
            counter=TokenCounter(),
            find_rates=UNPRICED,
            streams_usage=True,
            endpoints=frozenset(),
            dialects=("openai_chat",),
            written_for=Target(model="m"),
        )
        index = balancer.register(name)
        target: Any = None
        member = Member(index=index, deployment=deployment, credential="c", target=target, door=DOOR)
        tiers.append(PlanTier(balancer.tier([index], [1.0], strategy="priority"), {index: member}))
    usual: dict[str, Any] = {"retries": 2, "deadline_s": 600.0, "session_by": "session", "hedge": None}
    return Plan(alias=alias, tiers=tuple(tiers), **usual | fields)


def names(plan: Plan) -> list[str]:
    return [member.deployment.name for tier in plan.tiers for member in tier.members.values()]


def test_the_first_deployment_of_the_first_tier_counts() -> None:
    assert plan("a", "one", "two").first.name == "one"


def test_fallbacks_come_after_its_own_tiers_and_change_nothing_else() -> None:
    own = plan("a", "one", "two", retries=1, deadline_s=5.0, session_by="key")
    longer = own.extended([plan("b", "three", retries=9), plan("c", "four", "five")])
    assert names(longer) == ["one", "two", "three", "four", "five"]
    assert (longer.alias, longer.retries, longer.deadline_s, longer.session_by) == ("a", 1, 5.0, "key")
    assert names(own) == ["one", "two"]


def test_none_to_fall_back_to() -> None:
    own = plan("a", "one")
    assert own.extended([]) == own
