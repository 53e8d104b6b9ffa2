from __future__ import annotations

import pytest
from tests.guardrails.test_reveal import ASKED

from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    BlockStopped,
    Choice,
    Delta,
    Finished,
    Metered,
    Started,
    Text,
    Usage,
)
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.table import DIALECTS
from dragoman.guardrails.outgoing import OutgoingStream, blocked_answer, ended
from dragoman.guardrails.window import Window


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_is_left_of_a_blocked_answer_but_that_it_was(name: str) -> None:
    dialect, about = DIALECTS[name], Asked(request=ASKED, request_id="req_1", created_s=1)
    answer = Answer(
        dialect="",
        id="1",
        model="m",
        choices=(Choice(blocks=(Text(text="plutonium"),), stop="stop"),),
        usage=Usage(input=1),
    )
    own = dialect.read_answer(dialect.write_answer(answer, about), Target(model="m"))
    written = dialect.write_answer(blocked_answer(own), about)
    assert b"plutonium" not in written
    again = dialect.read_answer(written, Target(model="m"))
    assert all(not getattr(block, "text", "") for block in again.choices[0].blocks)
    assert again.choices[0].stop in ("filter", "refusal", "stop", "sequence")


def test_what_is_open_is_closed_and_nothing_else_is_said() -> None:
    begun, usage = Started(dialect="x"), Metered(usage=Usage())
    text, other = BlockStarted(index=0, block=Text(text="")), BlockStarted(index=0, block=Text(text=""), choice=1)
    delta, over = Delta(index=0, text="bad"), Finished(stop="stop", choice=1)
    filtered = Finished(stop="filter", native_stop="guardrail")
    assert ended([], [begun, text, delta, usage]) == [begun, filtered, usage]
    assert ended([begun, text], [delta, usage]) == [BlockStopped(index=0), filtered, usage]
    left = [begun, text, other, BlockStopped(index=0, choice=1), over]
    assert ended(left, [delta]) == [BlockStopped(index=0), filtered]
    assert ended([], []) == [filtered]


def test_a_stream_that_nobody_looks_at() -> None:
    stream = OutgoingStream(None, [])
    assert stream.events([]) == []
    assert not stream.cut


def test_a_look_lets_go_of_what_need_not_be_held() -> None:
    assert OutgoingStream(None, []).look() == []
    stream = OutgoingStream(Window(lambda found: None), [])
    stream.events([BlockStarted(index=0, block=Text(text="")), Delta(index=0, text="x" * 40)])
    stream.events([Delta(index=0, text="y" * 45)], more=True)
    assert stream.look() == [Delta(index=0, text="x" * 5)]
