from __future__ import annotations

from dragoman.access.principal import Principal
from dragoman.config.guards import AppliesTo
from dragoman.config.prompting import Decorator, Parameters, Prompting, Settings
from dragoman.guardrails.prompts.build import NO_RULES, PromptControls

ANN = Principal(key_id="k1", name="ann", team="research")
BOB = Principal(key_id="k2", name="bob", team="sales")


def test_nothing_is_for_nobody() -> None:
    assert PromptControls(config=Prompting()).rules(ANN, "chat") is NO_RULES


def test_rules_are_for_whom_they_are_for() -> None:
    research = AppliesTo(teams=("research",))
    controls = PromptControls(
        config=Prompting(
            decorators={"all": Decorator(prepend="a"), "some": Decorator(prepend="b", applies_to=research)},
            parameters={"some": Parameters(prompt_cache=True, applies_to=research)},
        )
    )
    ann, bob = controls.rules(ANN, "chat"), controls.rules(BOB, "chat")
    assert ([one.prepend for one in ann.decorators], ann.marks) == (["a", "b"], True)
    assert ([one.prepend for one in bob.decorators], bob.marks) == (["a"], False)
    assert controls.rules(ANN, "chat") is ann


def test_what_says_what_may_not_be_binds() -> None:
    policies = {
        "capped": Parameters(caps=Settings(max_tokens=9)),
        "forced": Parameters(forced=Settings(seed=1)),
        "without": Parameters(forbidden=("tools",)),
        "usual": Parameters(defaults=Settings(seed=1), prompt_cache=True),
    }
    prompting = Prompting(decorators={"house": Decorator(prepend="a")}, parameters=policies)
    binding = PromptControls(config=prompting).rules(ANN, "chat").binding
    assert [name.rpartition(".")[2] for name in binding] == ["house", "capped", "forced", "without"]
