from __future__ import annotations

from dragoman.guardrails.verdict import Allowed, Verdict, Verdicts


def test_the_worst_of_each_is_told() -> None:
    verdicts = Verdicts()
    for ruling in ("allow", "flag", "allow"):
        verdicts.note(Verdict(guardrail="a", ruling=ruling))  # type: ignore[arg-type]
    verdicts.note(Verdict(guardrail="b", ruling="block", shadow=True))
    verdicts.note(Verdict(guardrail="b", ruling="not_scanned", shadow=True))
    assert verdicts.told == "a=flag, b=block;shadow"


def test_what_nobody_finds_anything_in_is_told_in_the_same_order() -> None:
    one, two, three = (Verdict(guardrail=name, ruling="allow") for name in "abc")
    first = Allowed({"b": two})
    second = Allowed({"a": one, "b": two}, first)
    third = Allowed({"c": three}, second)
    for flagged in (None, Verdict(guardrail="a", ruling="flag"), Verdict(guardrail="d", ruling="not_scanned")):
        at_once, one_by_one = Verdicts(), Verdicts()
        for allowed, group in ((first, (two,)), (second, (one, two)), (third, (three,))):
            at_once.allow(allowed)
            one_by_one.note_all({verdict.guardrail: verdict for verdict in group})
            if flagged is not None and allowed is second:
                at_once.note(flagged)
                one_by_one.note(flagged)
        assert at_once.told == one_by_one.told
        assert list(at_once.worst.items()) == list(one_by_one.worst.items())
