"""What a text is made of: its length, scripts, invisible characters, program code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dragoman.core import Masker
from dragoman.guardrails.screen import Rules
from dragoman.guardrails.sieve import Sought
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.guards import Code, Invisible, Language, Length
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage

# Letters of each script (Unicode's blocks of it).
SCRIPTS = {
    "latin": r"A-Za-z\u00AA-\u024F\u1E00-\u1EFF",
    "cyrillic": r"\u0400-\u052F\u1C80-\u1C8F\u2DE0-\u2DFF\uA640-\uA69F",
    "greek": r"\u0370-\u03FF\u1F00-\u1FFF",
    "arabic": r"\u0600-\u06FF\u0750-\u077F\u08A0-\u08FF\uFB50-\uFDFF\uFE70-\uFEFC",
    "hebrew": r"\u0590-\u05FF\uFB1D-\uFB4F",
    "devanagari": r"\u0900-\u097F\uA8E0-\uA8FF",
    "thai": r"\u0E00-\u0E7F",
    "hangul": r"\u1100-\u11FF\u3130-\u318F\uAC00-\uD7AF",
    "kana": r"\u3040-\u30FF\u31F0-\u31FF",
    "han": r"\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF",
}
# A few letters of another script are a name or a formula.
LETTERS_LET_PASS = 8
# Format characters, tags, and what else nothing is seen of; not those that join emoji and letters.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u3164\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# How a line of each language begins.
CODE = {
    "python": r"(?m)^\s*(def \w+\(.*\)|class \w+[(:].*|from [\w.]+ import |import \w+(\.\w+)*$|if __name__ ==)",
    "javascript": r"(?m)^\s*((export )?(async )?function \w+\(|(const|let) \w+ ?= |import .{1,80} from |module\.ex)",
    "sql": r"(?mi)^\s*(select .{1,200} from |insert into \w|update \w+ set |delete from \w|(create|drop) table )",
    "shell": r"(?m)^\s*(#!/(usr/)?bin/|\$ \w|sudo \w|export \w+=|curl -|rm -[rf]|chmod \w|for \w+ in .{1,80}; do)",
    "java": r"(?m)^\s*(public|private|protected) (static |final |abstract )*(class|void|int|String|boolean|[A-Z]\w+)\b",
    "c": r"(?m)^\s*(#include [<\"]|int main\(|typedef struct|std::\w|using namespace )",
    "go": r"(?m)^\s*(package \w+$|func (\(\w+ \*?\w+\) )?\w+\(|import \($)",
    "rust": r"(?m)^\s*((pub )?(async )?fn \w+|impl(<.{1,40}>)? \w+|use \w+(::\w+)+|let mut \w+)",
    "php": r"(?m)(<\?php|^\s*\$\w+ ?= ?.{1,200};$)",
    "html": r"(?i)(<!doctype html|<html|<script[ >]|<div[ >]|<body[ >])",
}


class Lengths:
    """How long the texts are together."""

    def __init__(self, length: Length) -> None:
        self._length = length

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether they are too long or too short."""
        chars = sum(len(passage.text) for passage in passages)
        most, least = self._length.max_chars, self._length.min_chars
        if most is not None and chars > most:
            return Finding(reason=f"more than {most} characters")
        if least is not None and chars < least:
            return Finding(reason=f"fewer than {least} characters")
        return None


class Scripts:
    """Which scripts the texts are written in."""

    def __init__(self, language: Language) -> None:
        others = "".join(letters for name, letters in SCRIPTS.items() if name not in language.allow)
        self._other = re.compile(f"[{others}]") if others else None
        self._ascii = "latin" in language.allow
        self.sought = Sought(beyond="latin") if self._ascii else None

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether more than a few letters are of none that is allowed."""
        if self._other is None:
            return None
        for passage in passages:
            if self._ascii and passage.text.isascii():
                continue
            if len(self._other.findall(passage.text)) > LETTERS_LET_PASS:
                return Finding(reason="a script that is not allowed here")
        return None


class InvisibleText:
    """Characters that nothing is seen of."""

    sought = Sought(beyond="latin")

    def __init__(self, invisible: Invisible) -> None:
        self._most = invisible.most

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether there are more than a few."""
        for passage in passages:
            if not passage.text.isascii() and len(_INVISIBLE.findall(passage.text)) > self._most:
                return Finding(reason="invisible text")
        return None


class ProgramCode:
    """Lines that begin as program code does."""

    def __init__(self, code: Code) -> None:
        self.rules = Rules(patterns={name: CODE[name] for name in code.languages or CODE})
        self._finder = Masker(entities=["CUSTOM"], patterns=self.rules.patterns)

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Which language there is."""
        for passage in passages:
            for found in self._finder.find(passage.text):
                return Finding(reason=f"program code ({found[1]})", signals=(found[1],))
        return None
