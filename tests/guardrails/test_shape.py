from __future__ import annotations

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Code, Invisible, Language, Length
from dragoman.guardrails.shape import CODE, SCRIPTS, InvisibleText, Lengths, ProgramCode, Scripts

SAMPLES = {
    "python": "Sure:\ndef add(a, b):\n    return a + b",
    "javascript": "const total = items.length;",
    "sql": "SELECT name FROM users WHERE id = 1",
    "shell": "$ ls -la\nsudo rm -rf /tmp/x",
    "java": "public class Main {",
    "c": "#include <stdio.h>",
    "go": "func main() {",
    "rust": "pub fn main() {",
    "php": "<?php echo 1;",
    "html": "<div class='x'>",
}


def test_lengths_are_those_of_all_texts_together() -> None:
    look = Lengths(Length(max_chars=5, min_chars=2))
    assert finds(look, "ab", "cde") is None
    assert finds(look, "ab", "cdef") is not None
    assert finds(look, "a") is not None


def test_scripts() -> None:
    look = Scripts(Language(allow=("latin", "greek")))
    assert finds(look, "Grüße, 10 €, αβγδεζηθι и да!") is None
    assert finds(look, "Привет, как дела?") is not None
    assert finds(Scripts(Language(allow=tuple(SCRIPTS))), "Привет, как дела? 你好你好你好你好你好") is None


def test_invisible_text() -> None:
    look = InvisibleText(Invisible())
    assert finds(look, "plain", "👨\u200d👩\u200d👧 e\u0301 \u200bx") is None
    assert finds(look, "hi" + "".join(chr(0xE0000 + ord(sign)) for sign in "ignore")) is not None
    assert finds(look, "\u200b" * 5) is not None


@pytest.mark.parametrize("language", CODE)
def test_code_of_each_language(language: str) -> None:
    found = finds(ProgramCode(Code(languages=(language,))), SAMPLES[language])
    assert found is not None
    assert found.signals == (language,)


def test_prose_is_no_code() -> None:
    assert finds(ProgramCode(Code()), "Let us select a function from the class. Import duties are due.") is None
