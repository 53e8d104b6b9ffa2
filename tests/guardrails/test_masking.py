from __future__ import annotations

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Guardrail, Mask
from dragoman.errors import GuardrailBlocked
from dragoman.guardrails.masking import FoundPersonal, Hider, masker_of

BODY = b'{"text": "ann@example.com"}'


def hiding(mask: Mask, **options: object) -> Hider:
    return Hider("pii", Guardrail(mask=mask, **options), mask)  # type: ignore[arg-type]


def test_hidden_and_told() -> None:
    begun = hiding(Mask()).begin(b"key")
    assert begun.verdict.ruling == "allow"
    hidden = begun.hide(BODY)
    assert b"@" not in hidden
    assert (begun.verdict.ruling, begun.verdict.signals) == ("mask", ("EMAIL_ADDRESS",))
    begun.check(hidden)
    with pytest.raises(GuardrailBlocked, match="EMAIL_ADDRESS stands where it cannot be hidden"):
        begun.check(b'{"id": "ann@example.com"}')


def test_blocked() -> None:
    begun = hiding(Mask(actions={"EMAIL_ADDRESS": "block"})).begin(b"key")
    with pytest.raises(GuardrailBlocked) as told:
        begun.hide(BODY)
    assert "EMAIL_ADDRESS in the request" in told.value.message
    assert "ann" not in told.value.message
    assert begun.verdict.ruling == "block"


def test_flagged_and_in_shadow() -> None:
    begun = hiding(Mask(action="flag")).begin(b"key")
    assert begun.hide(BODY) is BODY
    assert begun.verdict.ruling == "flag"
    shadow = hiding(Mask(action="block"), mode="shadow").begin(b"key")
    assert shadow.hide(BODY) is BODY
    shadow.check(BODY)
    assert (shadow.verdict.ruling, shadow.verdict.shadow) == ("block", True)


def test_in_answers() -> None:
    found = finds(FoundPersonal(masker_of(Mask())), "write to ann@example.com", place="output")
    assert found is not None
    assert found.reason == "EMAIL_ADDRESS"
    assert finds(FoundPersonal(masker_of(Mask())), "write to nobody", place="output") is None
