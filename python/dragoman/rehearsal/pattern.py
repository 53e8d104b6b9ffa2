"""Makes up a text that a regular expression matches, without ever running the expression.

The expression comes from a request, and running a stranger's expression is how a server is stopped (catastrophic
backtracking). So it is only read: literals, classes, groups, alternatives, repetition. Anchors are dropped, since the
whole text is what is made. Lookaround, back-references and Unicode properties are not known: ``Unsupported`` says so,
and the caller falls back to a text without the pattern.
"""

from __future__ import annotations

import string
from random import Random

LONGEST = 4096  # characters, and the most that a count in braces may say
MOST_EXTRA = 3  # repetitions past the least, where there is no upper bound

_DIGITS = string.digits
_WORD = string.ascii_lowercase + string.ascii_uppercase + string.digits + "_"
_PLAIN = string.ascii_letters + string.digits + " -_.,:/"
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": " "}
_CLASSES |= {name.upper(): "".join(sign for sign in _PLAIN if sign not in known) for name, known in _CLASSES.items()}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


class Unsupported(ValueError):
    """The expression uses what is not known here, or asks for too much."""


def matching(pattern: str, random: Random) -> str:
    """A text that ``pattern`` matches from end to end. Raises ``Unsupported``."""
    reader = _Reader(pattern, random)
    text = reader.alternatives()
    if reader.at < len(pattern):
        raise Unsupported("unbalanced bracket")
    return text


class _Reader:
    """Reads the expression once, making the text as it goes; a repeated part is read again for each repetition."""

    def __init__(self, pattern: str, random: Random) -> None:
        self.pattern = pattern
        self.random = random
        self.at = 0
        self.made = 0
        self.depth = 0

    def alternatives(self) -> str:
        """``a|b|c``: one of them."""
        made = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            made.append(self._sequence())
        return self.random.choice(made)

    def _sequence(self) -> str:
        parts: list[str] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated())
        return "".join(parts)

    def _repeated(self) -> str:
        start = self.at
        first = self._atom()
        after_atom = self.at
        least, most = self._bounds()
        after_bounds = self.at
        count = self.random.randint(least, most)
        if count == 0:
            return ""
        parts = [first]
        for _ in range(count - 1):
            self.at = start
            parts.append(self._atom())
            self.at = after_atom
            self._spend(1)
        self.at = after_bounds
        return "".join(parts)

    def _bounds(self) -> tuple[int, int]:
        sign = self._peek()
        if sign and sign in "?*+":
            self.at += 1
            least, most = {"?": (0, 1), "*": (0, MOST_EXTRA), "+": (1, 1 + MOST_EXTRA)}[sign]
        elif sign == "{" and (counts := self._counts()) is not None:
            least, most = counts
        else:
            return 1, 1
        if self._peek() in ("?", "+"):  # lazy or possessive: the same text
            self.at += 1
        return least, most

    def _counts(self) -> tuple[int, int] | None:
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at + 1 : end].partition(",")
        if end < 0 or not low.isdecimal() or (high and not high.isdecimal()):
            return None
        self.at = end + 1
        least = int(low[:6])
        most = int(high[:6]) if high else (least + MOST_EXTRA if comma else least)
        if max(least, most) > LONGEST or most < least:
            raise Unsupported("repetition out of bounds")
        return least, min(most, least + 16)

    def _atom(self) -> str:
        sign = self.pattern[self.at]
        self.at += 1
        self._spend(1)
        if sign == "(":
            return self._group()
        if sign == "[":
            return self.random.choice(self._class())
        if sign == "\\":
            return self.random.choice(self._escape())
        if sign in "^$":
            return ""
        if sign in "*+?":
            raise Unsupported("nothing to repeat")
        return self.random.choice(_WORD) if sign == "." else sign

    def _group(self) -> str:
        if self._peek() == "?":
            self._group_kind()
        self.depth += 1
        if self.depth > 32:
            raise Unsupported("too deep")
        text = self.alternatives()
        self.depth -= 1
        if self._peek() != ")":
            raise Unsupported("unbalanced bracket")
        self.at += 1
        return text

    def _group_kind(self) -> None:
        rest = self.pattern[self.at : self.at + 4]
        if rest.startswith("?:"):
            self.at += 2
            return
        named = rest.startswith("?P<") or (rest.startswith("?<") and rest[2:3] not in ("=", "!"))
        end = self.pattern.find(">", self.at)
        if not named or end < 0:
            raise Unsupported("lookaround")
        self.at = end + 1

    def _class(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        members: list[str] = []
        while self._peek() != "]" or not members:
            members.append(self._class_member())
        self.at += 1
        known = "".join(members)
        if not negated:
            return known
        left = [sign for sign in _PLAIN if sign not in known]
        if not left:
            raise Unsupported("class of rare characters")
        return "".join(left)

    def _class_member(self) -> str:
        first = self._class_sign()
        if self._peek() != "-" or self.pattern[self.at + 1 : self.at + 2] in ("]", "") or len(first) > 1:
            return first
        self.at += 1
        last = self._class_sign()
        if len(last) > 1 or last < first:
            raise Unsupported("bad range")
        return "".join(chr(code) for code in range(ord(first), min(ord(last), ord(first) + 255) + 1))

    def _class_sign(self) -> str:
        sign = self._peek()
        if not sign:
            raise Unsupported("unbalanced bracket")
        self.at += 1
        return self._escape() if sign == "\\" else sign

    def _escape(self) -> str:
        """The characters that an escape stands for, one of which is to be picked."""
        sign = self._peek()
        self.at += 1
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign in _ESCAPES:
            return _ESCAPES[sign]
        if sign in ("x", "u"):
            width = 2 if sign == "x" else 4
            digits = self.pattern[self.at : self.at + width]
            self.at += width
            if len(digits) < width or any(digit not in string.hexdigits for digit in digits):
                raise Unsupported("bad escape")
            return chr(int(digits, 16))
        if not sign or sign.isalnum():
            raise Unsupported(f"escape {sign}")
        return sign

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _spend(self, characters: int) -> None:
        self.made += characters
        if self.made > LONGEST:
            raise Unsupported("too long")
