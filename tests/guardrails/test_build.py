from __future__ import annotations

import pytest

from dragoman.access.principal import Principal, applies
from dragoman.config.guards import KINDS as CONFIGURED
from dragoman.config.guards import AppliesTo, Guardrail, Mask, Words
from dragoman.config.schema import Config
from dragoman.guardrails.build import KINDS, build_guardrails
from dragoman.guardrails.called.build import KINDS as CALLED

ALICE = Principal(key_id="k1", name="alice", organisation="acme", team="red")


def test_every_kind_can_be_built() -> None:
    assert {"mask", *KINDS, *CALLED} == set(CONFIGURED)


@pytest.mark.parametrize(
    ("to", "whether"),
    [
        (AppliesTo(), True),
        (AppliesTo(organisations=("acme",), teams=("red", "blue"), routes=("chat",)), True),
        (AppliesTo(keys=("alice",)), True),
        (AppliesTo(keys=("k1",)), True),
        (AppliesTo(organisations=("other",)), False),
        (AppliesTo(teams=("red",), routes=("other",)), False),
        (AppliesTo(keys=("bob",)), False),
    ],
)
def test_for_whom(to: AppliesTo, whether: bool) -> None:
    assert applies(to, ALICE, "chat") is whether


def test_who_has_none_is_left_alone() -> None:
    assert build_guardrails(Config()).begin(ALICE, "chat", b"p") is None
    guardrail = Guardrail(words=Words(deny=("x",)), applies_to=AppliesTo(teams=("blue",)))
    assert build_guardrails(Config(guardrails={"a": guardrail})).begin(ALICE, "chat", b"p") is None


def test_placeholders_are_the_tenant_s() -> None:
    guardrails = build_guardrails(Config(guardrails={"a": Guardrail(mask=Mask())}))
    body = b'{"text": "ann@example.com"}'

    def hidden(principal: Principal, pepper: bytes) -> bytes:
        guarding = guardrails.begin(principal, "chat", pepper)
        assert guarding is not None
        return guarding.hide(body)

    colleague = Principal(key_id="k2", name="bob", organisation="acme")
    stranger = Principal(key_id="k3", name="eve")
    assert hidden(ALICE, b"p") == hidden(colleague, b"p")
    assert len({hidden(ALICE, b"p"), hidden(stranger, b"p"), hidden(ALICE, b"q")}) == 3


def test_a_key_that_changes_hands_is_asked_about_again() -> None:
    guardrail = Guardrail(words=Words(deny=("x",)), applies_to=AppliesTo(teams=("red",)))
    guardrails = build_guardrails(Config(guardrails={"a": guardrail}))
    assert guardrails.begin(ALICE, "chat", b"p") is not None
    moved = Principal(key_id="k1", name="alice", organisation="acme", team="blue")
    assert guardrails.begin(moved, "chat", b"p") is None


def test_personal_data_in_answers_is_found_not_hidden() -> None:
    guardrail = Guardrail(mask=Mask(), on=("input", "output"))
    guardrails = build_guardrails(Config(guardrails={"a": guardrail}))
    assert [guard.places for guard in guardrails.guards] == [frozenset({"output"})]
