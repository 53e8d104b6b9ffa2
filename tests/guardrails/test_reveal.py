from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.core import Masker
from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Citation,
    Cited,
    Delta,
    Event,
    Format,
    Passed,
    Proof,
    Proved,
    Reasoning,
    Request,
    Text,
    ToolCall,
)
from dragoman.guardrails.reveal import RevealStream

ASKED = Request(dialect="x", model="m", messages=())
SECRET = 'password: "x9\\y\'z7Q!"'


@pytest.fixture
def session() -> Any:
    return Masker().session(b"tenant")


def told(stream: RevealStream, block: Any, masked: str) -> tuple[str, list[Event]]:
    events: list[Event] = [BlockStarted(index=0, block=block)]
    events += [Delta(index=0, text=sign) for sign in masked]
    events += [Proved(index=0, proof=Proof(kind="signature", value="s")), BlockStopped(index=0)]
    shown = [one for event in events for one in stream.events([event])]
    return "".join(event.text for event in shown if type(event) is Delta), shown


@pytest.mark.parametrize("block", [Text(text=""), Reasoning(), ToolCall(id="i", name="n", arguments="", kind="custom")])
def test_text_sign_by_sign(session: Any, block: Any) -> None:
    masked = session.mask("to ann@example.com, card 4111 1111 1111 1111")
    text, shown = told(RevealStream(session, lambda: ASKED), block, masked)
    assert text == "to ann@example.com, card 4111 1111 1111 1111"
    assert type(shown[-1]) is BlockStopped
    assert type(shown[-2]) is Proved


def test_arguments_stay_json(session: Any) -> None:
    name = session.mask(SECRET).split('"')[1]
    block = ToolCall(id="i", name="n", arguments="")
    text, _ = told(RevealStream(session, lambda: ASKED), block, json.dumps({"password": name}))
    assert json.loads(text) == {"password": "x9\\y'z7Q!"}


@pytest.mark.parametrize("asked", [ASKED, Request(dialect="x", model="m", messages=(), format=Format(kind="json"))])
def test_text_that_is_json_stays_json(session: Any, asked: Request) -> None:
    name = session.mask(SECRET).split('"')[1]
    text, _ = told(RevealStream(session, lambda: asked), Text(text=""), json.dumps({"password": name}))
    assert json.loads(text) == {"password": "x9\\y'z7Q!"}


def test_what_comes_whole(session: Any) -> None:
    masked = session.mask("ann@example.com")
    stream = RevealStream(session, lambda: ASKED)
    cited, passed, block = stream.events(
        [
            Cited(index=0, citation=Citation(cited_text=f"by {masked}")),
            Passed(dialect="x", type="y", raw={"k": [masked]}),
            BlockStarted(index=1, block=Text(text=masked)),
        ]
    )
    assert cited == Cited(index=0, citation=Citation(cited_text="by ann@example.com"))
    assert passed == Passed(dialect="x", type="y", raw={"k": ["ann@example.com"]})
    assert block == BlockStarted(index=1, block=Text(text="ann@example.com"))


def test_nothing_hidden_nothing_touched(session: Any) -> None:
    events: list[Event] = [Delta(index=0, text="EMAIL_4KQ2")]
    assert RevealStream(session, lambda: ASKED).events(events) is events
