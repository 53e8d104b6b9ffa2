from __future__ import annotations

from dragoman.guardrails.verdict import Verdict, Verdicts


def test_the_worst_of_each_is_told() -> None:
    verdicts = Verdicts()
    for ruling in ("allow", "flag", "allow"):
        verdicts.note(Verdict(guardrail="a", ruling=ruling))  # type: ignore[arg-type]
    verdicts.note(Verdict(guardrail="b", ruling="block", shadow=True))
    verdicts.note(Verdict(guardrail="b", ruling="not_scanned", shadow=True))
    assert verdicts.told == "a=flag, b=block;shadow"
