"""Masker, MaskSession and Unmasker as Python sees them; what they find is measured on the recorded data."""

from __future__ import annotations

import importlib.util
import json
import random
import string
import sys
from pathlib import Path
from typing import Any

import pytest

from dragoman.core import Masker

BENCHES = Path(__file__).parents[2] / "benches"
KEY = b"a tenant's key"


@pytest.fixture(scope="module")
def bench() -> Any:
    """What `make eval` prints, before it is printed."""
    sys.path.insert(0, str(BENCHES))
    try:
        spec = importlib.util.spec_from_file_location("eval_of_engines", BENCHES / "eval.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHES))
    return module


def test_find_counts_characters() -> None:
    text = "Grüße an ann@example.com 🎉 und bob@example.org"
    found = Masker().find(text)
    assert [(entity, text[start:end]) for entity, _, start, end, _ in found] == [
        ("EMAIL_ADDRESS", "ann@example.com"),
        ("EMAIL_ADDRESS", "bob@example.org"),
    ]
    assert all(0.5 <= score <= 1 for *_, score in found)


def test_what_is_looked_for_can_be_chosen() -> None:
    text = "ann@example.com paid with 4111 1111 1111 1111 on 2024-05-01"
    assert {entity for entity, *_ in Masker().find(text)} == {"EMAIL_ADDRESS", "CREDIT_CARD"}
    assert {entity for entity, *_ in Masker(entities=["DATE_TIME"]).find(text)} == {"DATE_TIME"}
    assert Masker(entities=["PHONE_NUMBER"], threshold=0.2).find(text) == []
    known = dict(Masker.known_entities())
    assert known["SECRET"]
    assert not known["URL"]
    assert not known["PERSON"]
    assert len(Masker.known_secrets()) >= 220


def test_people_and_where_they_live() -> None:
    text = "My name is Zoë Brontë, and I live at 12 Mill Lane, Haworth BD22 8DU."
    found = Masker(entities=["PERSON", "STREET_ADDRESS"]).find(text)
    assert [(entity, text[start:end]) for entity, _, start, end, _ in found] == [
        ("PERSON", "Zoë Brontë"),
        ("STREET_ADDRESS", "12 Mill Lane, Haworth BD22 8DU"),
    ]
    session = Masker(entities=["PERSON"]).session(KEY)
    masked = session.mask(text)
    assert "Zoë" not in masked
    assert session.unmask(masked) == text


def test_people_of_other_scripts_are_two_people() -> None:
    session = Masker(entities=["PERSON"]).session(KEY)
    first, second, again = (session.mask(f"Dear {name},") for name in ("Лидия", "Юлия", "ЛИДИЯ"))
    code = first.removeprefix("Dear PERSON_").removesuffix(",")
    assert code.isalnum()
    assert code not in second
    assert again == f"Dear PERSON_{code}_2,", "the same in another spelling"


def test_actions() -> None:
    actions = {
        "EMAIL_ADDRESS": "redact",
        "CREDIT_CARD": "partial",
        "US_SSN": "hash",
        "IP_ADDRESS": "flag",
        "IBAN_CODE": "block",
    }
    session = Masker(actions=actions).session(KEY)
    masked = session.mask("ann@example.com 4111 1111 1111 1111 ssn 536-22-1234 at 203.0.113.9")
    assert masked.startswith("[EMAIL] **** **** **** 1111 ssn [SSN:")
    assert masked.endswith("203.0.113.9")
    assert not session.blocked
    assert not session.has_placeholders
    session.mask("GB29NWBK60161331926819")
    assert session.blocked
    assert [done for _, _, done in session.found] == ["redact", "partial", "hash", "flag", "block"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entities": ["EMAIL"]}, "no entity"),
        ({"action": "hide"}, "no action"),
        ({"actions": {"URL": "hide"}}, "no action"),
        ({"patterns": {"mine": "("}}, "mine"),
        ({"patterns": {"mine": "x*"}}, "empty"),
        ({"words": {"mine": [""]}}, "empty"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Masker(**options)


def test_a_field_that_is_named_twice_is_no_secret() -> None:
    masker = Masker()
    assert masker.find("Password: password: ") == []
    assert masker.find("Passcode: Passcode|") == []
    ((_, _, start, end, _),) = masker.find("password: hunter2:")
    assert (start, end) == (10, 18)


def test_what_was_found_once_is_hidden_wherever_else_it_stands() -> None:
    """A password that its text calls one is a password where nothing calls it that."""
    session = Masker().session(KEY)
    call = {"id": "c", "function": {"name": "f", "arguments": json.dumps({"x": ["say tr0ub4dor&3 again"]})}}
    messages = [
        {"role": "user", "content": "I tried tr0ub4dor&3, and it fails."},
        {"role": "user", "content": "My password: tr0ub4dor&3"},
        {"role": "assistant", "tool_calls": [call]},
    ]
    body = json.dumps({"messages": messages}).encode()
    masked = session.mask_body(body)
    assert b"tr0ub4dor" not in masked
    assert session.leak(masked) is None
    assert json.loads(session.unmask_body(masked)) == json.loads(body)
    told = json.loads(masked)["messages"]
    name = told[1]["content"].split()[-1]
    assert told[0]["content"] == f"I tried {name}, and it fails."


def test_one_value_has_one_placeholder_of_its_tenant() -> None:
    masker = Masker()
    first = masker.session(KEY).mask("from ann@example.com")
    session = masker.session(KEY)
    assert session.mask("to ann@example.com") == "to " + first.removeprefix("from ")
    assert session.mask("to Ann@Example.com") == "to " + first.removeprefix("from ") + "_2"
    assert session.unmask(first + "_2") == "from Ann@Example.com"
    assert masker.session(b"another").mask("from ann@example.com") != first
    assert masker.session(b"another").unmask(first) == first


def test_bodies() -> None:
    session = Masker().session(KEY)
    body = {"model": "m", "messages": [{"role": "user", "content": "ann@example.com"}], "x": {"args": '{"a":"b\\n@c"}'}}
    written = json.dumps(body).encode()
    masked = session.mask_body(written)
    assert b"@example" not in masked
    assert json.loads(session.unmask_body(masked)) == body
    assert session.leak(masked) is None
    assert session.leak(b'{"id": "ann@example.com"}') == "EMAIL_ADDRESS"
    clean = b'{"messages": []}'
    assert session.mask_body(clean) is clean
    assert session.unmask_body(clean) is clean


def random_text(chance: random.Random) -> str:
    """Words, values and what looks like placeholders."""
    makers = [
        lambda: "".join(chance.choices(string.ascii_lowercase, k=5)) + "@example.com",
        lambda: " ".join("".join(chance.choices(string.digits, k=4)) for _ in range(4)),
        lambda: "ghp_" + "".join(chance.choices(string.ascii_letters + string.digits, k=36)),
        lambda: "+49 30 " + "".join(chance.choices(string.digits, k=7)),
        lambda: "EMAIL_" + "".join(chance.choices("234567ABCXYZ", k=8)),
        lambda: "".join(chance.choices(string.printable, k=9)),
        lambda: "".join(chance.choices("аеёπ漢字🎉é\u200b\u0301", k=4)),
        lambda: chance.choice(["the", "card", "EM", "password:", "is", "E", "tel"]),
    ]
    return " ".join(chance.choice(makers)() for _ in range(chance.randrange(1, 8)))


def test_a_hundred_thousand_texts_come_back() -> None:
    chance = random.Random(11)
    masker = Masker()
    last = None
    for number in range(100_000):
        text = random_text(chance)
        session = masker.session(KEY if number % 2 else b"another", str(number % 3).encode())
        masked = session.mask(text)
        cut = chance.randrange(len(masked) + 1)
        unmasker = session.unmasker()
        assert unmasker.push(masked[:cut]) + unmasker.push(masked[cut:]) + unmasker.finish() == text
        if last is not None and number % 3:
            assert session.unmask(last) == last or last in masked  # of another tenant and conversation
        last = masked if masked != text else None


@pytest.mark.recorded
def test_personal_data_at_or_above_the_incumbent(bench: Any, recorded: Path) -> None:
    for (label, dataset), (_, _, f1, theirs) in bench.masking(recorded).items():
        least = 0.75 if theirs is None else theirs  # what a kind has to have to be looked for by default
        assert f1 >= least - 1e-9, (label, dataset, f1, least)


@pytest.mark.recorded
def test_secrets(bench: Any, recorded: Path) -> None:
    recall, wrong = bench.secrets(recorded)
    assert recall >= 0.97
    assert wrong < 0.02


def test_disguised_values(bench: Any) -> None:
    share, missed = bench.evasion()
    assert share >= 0.99, missed


def test_disguised_values_wherever_they_stand(bench: Any) -> None:
    """X21: in instructions, words, names, and the arguments and results of tools."""
    cases = [text for _, _, text in bench.corpus()]
    masker = Masker()
    seen: dict[str, int] = {}
    for text in cases:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": text})}}
        body = {
            "messages": [
                {"role": "system", "content": text},
                {"role": "user", "name": text, "content": [{"type": "text", "text": text}]},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": text},
            ]
        }
        session = masker.session(KEY)
        masked = json.loads(session.mask_body(json.dumps(body).encode()))["messages"]
        places = {
            "system": masked[0]["content"],
            "name": masked[1]["name"],
            "user": masked[1]["content"][0]["text"],
            "arguments": json.loads(masked[2]["tool_calls"][0]["function"]["arguments"])["x"],
            "result": masked[3]["content"],
        }
        for place, told in places.items():
            seen[place] = seen.get(place, 0) + (told != text)
        shown = json.loads(session.unmask_body(json.dumps({"messages": masked}).encode()))["messages"]
        assert [one.get("content") for one in shown] == [one.get("content") for one in body["messages"]]
        assert json.loads(shown[2]["tool_calls"][0]["function"]["arguments"]) == {"x": text}
    assert {place for place, found in seen.items() if found < 0.99 * len(cases)} == set(), seen


@pytest.mark.recorded
def test_what_is_clean_stays_as_it_is(recorded: Path) -> None:
    """X21: of texts without any personal data, at most one in a hundred is touched."""
    masker = Masker()
    rows = [json.loads(line) for line in (recorded / "pii" / "labelled.jsonl").read_text().splitlines()]
    clean = [row["text"] for row in rows if not row["spans"]]
    assert len(clean) > 50
    touched = [text for text in clean if masker.find(text)]
    assert len(touched) <= 0.01 * len(clean), touched[:5]
