"""Personal data and secrets in disguise: a thousand texts that a masker must see through.

Each is a value, made unlike itself in one way that still reads as the value to people or to models, in a sentence.
Everything is a function of the seed.
"""

from __future__ import annotations

import base64
import html
import random
from collections.abc import Callable, Iterator
from urllib.parse import quote

VALUES = {
    "CREDIT_CARD": ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "3530111333300000"],
    "EMAIL_ADDRESS": ["alice.smith@example.com", "bob@mail.example.org", "carol_w@corp.example.net"],
    "US_SSN": ["536-22-1234", "219-09-7777", "457-55-5462"],
    "IBAN_CODE": ["GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606"],
    "PHONE_NUMBER": ["+14155550132", "+4930123456789", "+33184176118"],
    "SECRET": ["ghp_9fK2mQ7xLr4TzW8bN1vY5cH3jD6gP0sEuRaX", "AKIAQ4T7ZXW2LMN9PRSV", "glpat-x7Kq2mZp9RtYw4Ns8LbV"],
}
SENTENCES = (
    "My details: {}.",
    "Please use {} for this",
    "{}",
    "it is {} , thanks",
    "Note this down: {} - and confirm.",
)
LOOK_ALIKES = str.maketrans({"a": "а", "e": "е", "o": "о", "c": "с", "p": "р", "x": "х", "i": "і"})
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
ARABIC = {ord("0") + digit: 0x660 + digit for digit in range(10)}
CIRCLED = {ord("0"): 0x24EA} | {ord("1") + digit: 0x2460 + digit for digit in range(9)}
MATHEMATICAL = {ord("0") + digit: 0x1D7CE + digit for digit in range(10)}
DIGITS = frozenset({"CREDIT_CARD", "US_SSN", "PHONE_NUMBER"})


def between(sign: str) -> Callable[[str, random.Random], str]:
    """Puts a sign between all characters."""
    return lambda value, _: sign.join(value)


def somewhere(*signs: str) -> Callable[[str, random.Random], str]:
    """Puts signs at three places."""

    def disguise(value: str, chance: random.Random) -> str:
        for _ in range(3):
            at = chance.randrange(1, len(value))
            value = value[:at] + chance.choice(signs) + value[at:]
        return value

    return disguise


def separated(sign: str) -> Callable[[str, random.Random], str]:
    """Digits in groups, with a sign between."""
    return lambda value, _: sign.join(value[at : at + 4] for at in range(0, len(value), 4))


def plain(way: Callable[[str], str]) -> Callable[[str, random.Random], str]:
    """A disguise without chance."""
    return lambda value, _: way(value)


# The name of each, the disguise, and the entities that it leaves readable.
DISGUISES: list[tuple[str, Callable[[str, random.Random], str], frozenset[str]]] = [
    ("zero-width space", somewhere("\u200b"), frozenset(VALUES)),
    ("zero-width joiners", somewhere("\u200c", "\u200d", "\u2060"), frozenset(VALUES)),
    ("zero-width everywhere", between("\u200b"), frozenset(VALUES)),
    ("bidi marks", somewhere("\u202a", "\u202c", "\u2066", "\u2069", "\u200e"), frozenset(VALUES)),
    ("soft hyphens", somewhere("\u00ad"), frozenset(VALUES)),
    ("variation selectors", somewhere("\ufe0f", "\ufe00", "\U000e0100"), frozenset(VALUES)),
    ("tags", somewhere("\U000e0041", "\U000e0062"), frozenset(VALUES)),
    ("combining marks", somewhere("\u0301", "\u0336"), frozenset(VALUES)),
    ("control characters", somewhere("\x00", "\x07", "\x1b"), frozenset(VALUES)),
    ("full width", plain(lambda value: value.translate(FULL_WIDTH)), frozenset(VALUES)),
    ("look-alike letters", plain(lambda value: value.translate(LOOK_ALIKES)), frozenset({"EMAIL_ADDRESS"})),
    ("Arabic digits", plain(lambda value: value.translate(ARABIC)), DIGITS),
    ("circled digits", plain(lambda value: value.translate(CIRCLED)), DIGITS),
    ("mathematical digits", plain(lambda value: value.translate(MATHEMATICAL)), DIGITS | {"IBAN_CODE"}),
    ("spaced digits", between(" "), frozenset({"CREDIT_CARD"})),
    ("dots", separated("."), frozenset({"CREDIT_CARD", "IBAN_CODE"})),
    ("dashes", separated("-"), frozenset({"CREDIT_CARD", "IBAN_CODE"})),
    ("slashes", separated("/"), frozenset({"CREDIT_CARD"})),
    ("no-break spaces", separated("\u00a0"), frozenset({"CREDIT_CARD", "IBAN_CODE"})),
    ("thin spaces", separated("\u2009"), frozenset({"CREDIT_CARD", "IBAN_CODE"})),
    ("typographic dashes", plain(lambda value: value.replace("-", "\u2011")), frozenset({"US_SSN"})),
    ("URL encoding", plain(lambda value: "".join(f"%{byte:02X}" for byte in value.encode())), frozenset(VALUES)),
    ("URL encoding of signs", plain(lambda value: quote(value, safe="")), frozenset({"EMAIL_ADDRESS", "PHONE_NUMBER"})),
    ("URL encoding twice", plain(lambda value: quote(quote(value, safe=""))), frozenset({"EMAIL_ADDRESS"})),
    ("HTML references", plain(lambda value: "".join(f"&#{ord(sign)};" for sign in value)), frozenset(VALUES)),
    ("HTML hex references", plain(lambda value: "".join(f"&#x{ord(sign):x};" for sign in value)), frozenset(VALUES)),
    ("HTML names", plain(lambda value: html.escape(value).replace("@", "&commat;")), frozenset({"EMAIL_ADDRESS"})),
    ("backslash u", plain(lambda value: "".join(f"\\u{ord(sign):04x}" for sign in value)), frozenset(VALUES)),
    ("backslash x", plain(lambda value: "".join(f"\\x{ord(sign):02x}" for sign in value)), frozenset(VALUES)),
    ("base64", plain(lambda value: base64.b64encode(value.encode()).decode()), frozenset(VALUES)),
    (
        "base64 of a sentence",
        plain(lambda value: base64.b64encode(f"it is {value}.".encode()).decode()),
        frozenset(VALUES),
    ),
    (
        "base64 twice",
        plain(lambda value: base64.b64encode(base64.b64encode(value.encode())).decode()),
        frozenset(VALUES),
    ),
    ("base64 for URLs", plain(lambda value: base64.urlsafe_b64encode(value.encode()).decode()), frozenset(VALUES)),
    ("base32", plain(lambda value: base64.b32encode(value.encode()).decode()), frozenset(VALUES)),
    ("hexadecimal", plain(lambda value: value.encode().hex()), frozenset(VALUES)),
    ("backwards", plain(lambda value: value[::-1]), frozenset({"CREDIT_CARD", "EMAIL_ADDRESS", "SECRET"})),
    ("backslash n before", plain(lambda value: f"line\\n{value}\\nend"), frozenset(VALUES)),
]


def corpus(count: int = 1000, seed: int = 7) -> Iterator[tuple[str, str, str]]:
    """The disguise, the entity, and the text."""
    chance = random.Random(seed)
    for number in range(count):
        name, disguise, entities = DISGUISES[number % len(DISGUISES)]
        entity = chance.choice(sorted(entities))
        disguised = disguise(chance.choice(VALUES[entity]), chance)
        yield name, entity, chance.choice(SENTENCES).format(disguised)
