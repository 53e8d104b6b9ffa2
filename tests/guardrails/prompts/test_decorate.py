from __future__ import annotations

from typing import Any

from dragoman.config.prompting import Decorator
from dragoman.dialects.canonical import Image, Message, Source, Text
from dragoman.guardrails.prompts.decorate import decorated, leading, with_instructions

USER = Message(role="user", blocks=(Text(text="Hi."),))
TOP = Message(role="system", blocks=(Text(text="Own."),), top=True)
DEVELOPER = Message(role="developer", blocks=(Text(text="Own."),))


def said(messages: tuple[Message, ...]) -> list[tuple[str, list[str]]]:
    return [(one.role, [getattr(block, "text", "?") for block in one.blocks]) for one in messages]


def around(messages: tuple[Message, ...], dialect: str = "openai_chat", **what: Any) -> list[tuple[str, list[str]]]:
    return said(decorated(messages, (Decorator(**what),), dialect))


def test_instructions_are_the_messages_at_the_beginning() -> None:
    assert [leading(one) for one in ((), (USER,), (DEVELOPER, USER, DEVELOPER), (TOP,))] == [0, 0, 1, 1]


def test_in_a_list_instructions_are_messages_of_their_own() -> None:
    told = around((DEVELOPER, USER), prepend="A.", append="Z.")
    assert told == [("developer", ["A."]), ("developer", ["Own."]), ("developer", ["Z."]), ("user", ["Hi."])]
    assert around((USER,), append="Z.") == [("system", ["Z."]), ("user", ["Hi."])]


def test_apart_they_are_blocks_of_one() -> None:
    told = around((TOP, USER), "anthropic", prepend="A.", append="Z.")
    assert told == [("system", ["A.", "Own.", "Z."]), ("user", ["Hi."])]
    made = with_instructions((USER,), "A.", "gemini", last=False)
    assert (made[0].top, said(made)[0]) == (True, ("system", ["A."]))


def test_replaced_is_all_that_the_client_has_said_of_it() -> None:
    assert around((DEVELOPER, DEVELOPER, USER), replace="Ours.") == [("system", ["Ours."]), ("user", ["Hi."])]
    assert around((TOP, USER), "anthropic", replace="Ours.", prepend="A.") == [
        ("system", ["A.", "Ours."]),
        ("user", ["Hi."]),
    ]


def test_around_the_user_s_last_words() -> None:
    late = Message(role="user", blocks=(Text(text="Bye."), Image(source=Source(url="https://e/x.png"))))
    told = around((USER, late), to="user", prepend="A.", append="Z.")
    assert told == [("user", ["Hi."]), ("user", ["A.\n\nBye.", "?", "Z."])]
    assert around((late,), to="user", replace="Ours.") == [("user", ["Ours.", "?"])]
    assert around((TOP,), to="user", prepend="A.") == [("system", ["Own."])]


def test_several_go_in_their_order() -> None:
    both = (Decorator(prepend="1."), Decorator(prepend="2."))
    assert said(decorated((USER,), both, "openai_chat"))[:2] == [("system", ["2."]), ("system", ["1."])]
