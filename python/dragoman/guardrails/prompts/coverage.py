"""Whether prompt controls hold on every surface: found out by doing it, as the gateway does it.

A control is ``covered`` where what is sent is as it says, a ``hole`` where not, and ``refused`` where what cannot be
held to it is not sent at all.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from dragoman.access.principal import ANONYMOUS
from dragoman.config.prompting import Decorator, Parameters, Prompt, Prompting, Settings, Turn, Version
from dragoman.core import RequestBody
from dragoman.dialects.canonical import Message, Request, Text
from dragoman.dialects.dialect import Path
from dragoman.dialects.losses import Losses
from dragoman.dialects.matrix import target_of
from dragoman.dialects.table import DIALECTS
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.apply import called_in, shaped, without_call
from dragoman.guardrails.prompts.build import PromptControls, Rules
from dragoman.guardrails.prompts.fields import FIELDS, get, put
from dragoman.guardrails.prompts.passed import KNOWN, controlled
from dragoman.guardrails.prompts.sessions import LiveControls, RealtimeControls
from dragoman.guardrails.prompts.template import Filled, fill
from dragoman.routing.surface import Surface

Held = Literal["covered", "hole", "refused"]

MARK = "Obey the house."
MOST = 77
_SAID = Message(role="user", blocks=(Text(text="Hi"),))
_ASKED = Request(dialect="", model="m", messages=(_SAID,), max_tokens=500)
_TEMPLATE = Prompt(versions={"1": Version(messages=(Turn(role="system", text=MARK),))})
_encode, _decode = msgspec.json.encode, msgspec.json.decode

# Each control, and what there is of it.
CONTROLS: dict[str, Prompting] = {
    "instructions decorated": Prompting(decorators={"a": Decorator(prepend=MARK)}),
    "user's words decorated": Prompting(decorators={"a": Decorator(to="user", append=MARK)}),
    "template called": Prompting(),
    "parameter capped": Prompting(parameters={"a": Parameters(caps=Settings(max_tokens=MOST))}),
    "parameter forced": Prompting(parameters={"a": Parameters(forced=Settings(max_tokens=MOST))}),
    "parameter forbidden": Prompting(parameters={"a": Parameters(forbidden=("max_tokens",))}),
}


class Sends(Protocol):
    """A surface."""

    def __call__(self, rules: Rules, *, calls: bool) -> bytes:
        """What is sent of a request to it under some rules.

        :param calls: it calls the template.
        """


def controls() -> dict[str, dict[str, Held]]:
    """Of every surface each control."""
    surfaces: dict[str, tuple[str, Sends]] = {name: (name, _asks(name)) for name in DIALECTS if name in FIELDS}
    surfaces |= {f"passed through: {path}": (one.surface.dialect, _passes(path)) for path, one in KNOWN.items()}
    surfaces["passed through: anything else"] = "openai_chat", _passes("/images/generations")
    surfaces["sessions: session.update"] = "openai_realtime", _says("session.update", "session")
    surfaces["sessions: response.create"] = "openai_realtime", _says("response.create", "response")
    surfaces["sessions: setup"] = "gemini", _sets_up
    return {
        name: {control: _held(control, dialect, send) for control in CONTROLS}
        for name, (dialect, send) in surfaces.items()
    }


def _held(control: str, dialect: str, send: Sends) -> Held:
    rules = PromptControls(config=CONTROLS[control]).rules(ANONYMOUS, "m")
    try:
        sent = send(rules, calls=control == "template called")
    except InvalidRequest as refused:
        if control == "parameter forbidden" and refused.error_code == "parameter_forbidden":
            return "covered"
        return "refused" if refused.error_code == "uncontrolled_prompt" else "hole"
    if not control.startswith("parameter"):
        return "covered" if MARK.encode() in sent else "hole"
    if control == "parameter forbidden":
        return "hole"
    return "covered" if f":{MOST}".encode() in sent and b"500" not in sent else "hole"


def _body(dialect: str, *, calls: bool) -> bytes:
    body: Any = _decode(DIALECTS[dialect].write_request(_ASKED, target_of(dialect), Losses()).body)
    ways = FIELDS[dialect]["max_tokens"]
    if get(body, ways) is None:
        put(body, ways, _ASKED.max_tokens)
    return _encode({**body, **({"prompt": {"id": "t"}} if calls else {})})


def _filled(body: RequestBody, surface: Surface) -> Filled | None:
    called = called_in(body, is_text_too=False)
    return None if called is None else fill(called, _TEMPLATE)


def _asks(dialect: str) -> Sends:
    surface = Surface(endpoint=dialect, dialect=dialect, native=lambda at, model: "")
    at = Path(model="m")

    def send(rules: Rules, *, calls: bool) -> bytes:
        raw = _body(dialect, calls=calls)
        filled = _filled(RequestBody(raw), surface)
        if filled is not None:
            raw = without_call(raw, filled, surface, at)
        return shaped(raw, surface, at, filled, rules).raw

    return send


def _passes(path: str) -> Sends:
    known = KNOWN.get(path)

    def send(rules: Rules, *, calls: bool) -> bytes:
        raw = _body("openai_chat" if known is None else known.surface.dialect, calls=calls)
        if known is not None and known.listed is not None:
            raw = _encode({known.listed[0]: [{known.listed[1]: msgspec.Raw(raw)}]})
        return controlled(path, raw, RequestBody(raw), rules, _filled).raw

    return send


def _says(kind: str, field: str) -> Sends:
    def send(rules: Rules, *, calls: bool) -> bytes:
        session = RealtimeControls(rules, {"t": _TEMPLATE}.get, beta=False)
        session.opening()
        said: dict[str, Any] = {"instructions": "Sing.", "max_output_tokens": 500}
        event = {"type": kind, field: said | ({"prompt": {"id": "t"}} if calls else {})}
        frame = session.from_client(_encode(event).decode())
        return frame.encode() if isinstance(frame, str) else frame

    return send


def _sets_up(rules: Rules, *, calls: bool) -> bytes:
    setup: dict[str, Any] = {"model": "m", "generationConfig": {"maxOutputTokens": 500}}
    return _encode(LiveControls(rules, {"t": _TEMPLATE}.get).setup(setup | ({"prompt": {"id": "t"}} if calls else {})))
