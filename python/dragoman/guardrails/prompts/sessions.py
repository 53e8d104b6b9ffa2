"""Prompt controls of sessions over WebSockets, frame by frame.

OpenAI's Realtime has instructions of the session and of single answers, both changed at any time, and some of its own
where a client gives none: the gateway sets the session's first, and what a client sets is held to the same. Gemini Live
takes all there is to control in its first frame. Words around the user's own cannot be put where they are spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from dragoman.config.prompting import Settings
from dragoman.core import BodyError, RequestBody
from dragoman.errors import InvalidRequest, UpstreamProtocol
from dragoman.guardrails.prompts.build import NO_RULES
from dragoman.guardrails.prompts.parameters import apply_policies, with_defaults
from dragoman.guardrails.prompts.template import Called, fill

if TYPE_CHECKING:
    from dragoman.config.prompting import Prompt
    from dragoman.dialects.canonical import Json
    from dragoman.guardrails.prompts.build import Rules

Frame = str | bytes
_decode, _encode = msgspec.json.decode, msgspec.json.encode
DEPTH = 128
# The id of the gateway's own event in a session of OpenAI's.
OURS = "event_dragoman_controls"
# The client's events that say what the model is to do, and the field in which they say it.
SAYING = {"session.update": "session", "response.create": "response"}


class SessionControls:
    """What holds for one session."""

    def __init__(self, rules: Rules, find: Callable[[str], Prompt | None], canary: str = "") -> None:
        """
        :param find: a template, by name.
        :param canary: instructions that are put behind others, where there are any.

        Raises:
            InvalidRequest: something cannot be held to in a session.
        """
        for name, one in zip(rules.binding, rules.decorators, strict=False):
            if one.to == "user":
                message = f"{name} puts words around the user's, which cannot be done in a session."
                raise InvalidRequest(message, code="uncontrolled_prompt", param="model")
        self.rules = rules
        self._canary = canary
        self.prompt = ""  # the template that was called last, and its version
        self._find = find
        self._changed: dict[str, None] = {}  # parameters that are not as they were asked

    @property
    def changed(self) -> str:
        """The parameters that are not as they were asked."""
        return ", ".join(self._changed)

    def setup(self, setup: Json) -> Json:
        """A session's setup, where the client sends one before all else."""
        return setup

    def opening(self) -> Frame | None:
        """What the gateway says to the provider first, if anything."""
        return None

    def from_client(self, frame: Frame) -> Frame:
        """What the provider gets in a frame's place.

        Raises:
            RequestError: it asks for what may not be, or cannot be read.
        """
        return frame

    def from_provider(self, frame: Frame) -> Frame | None:
        """What the client gets in a frame's place; ``None``: nothing.

        Raises:
            UpstreamProtocol: the provider does not take the controls.
        """
        return frame

    def _called(self, said: Json, dialect: str) -> list[str]:
        """The instructions of a template that is called, which is taken out; its parameters are put in."""
        called = said.get("prompt")
        if called is None:
            return []
        try:
            wanted = msgspec.convert(called, Called)
        except msgspec.ValidationError as error:
            message = f"The field prompt is not {{id, version, variables}}: {error}."
            raise InvalidRequest(message, code="invalid_prompt", param="prompt") from None
        template = self._find(wanted.id)
        if template is None:
            return []  # a prompt that the provider has stored
        filled = fill(wanted, template)
        if any(message.role != "system" for message in filled.messages):
            message = f"The prompt {wanted.id!r} has turns beside its instructions, which a session cannot begin with."
            raise InvalidRequest(message, code="uncontrolled_prompt", param="prompt.id")
        del said["prompt"]
        with_defaults(said, dialect, filled.parameters)
        self.prompt = filled.told
        return ["".join(getattr(block, "text", "") for block in message.blocks) for message in filled.messages]

    def _around(self, texts: list[str]) -> list[str]:
        """Instructions with what is put around them."""
        for one in self.rules.decorators:
            if one.replace:
                texts = [one.replace]
            texts = [*([one.prepend] if one.prepend else []), *texts, *([one.append] if one.append else [])]
        return [*texts, self._canary] if texts and self._canary else texts

    def _hold(self, said: Json, dialect: str, *, first: bool) -> None:
        """Hold parameters to the policies; defaults are set once, since later events leave out what stays."""
        policies = self.rules.policies
        if not first:
            policies = tuple(replace(policy, defaults=Settings()) for policy in policies)
        self._changed |= dict.fromkeys(apply_policies(said, dialect, policies))


class RealtimeControls(SessionControls):
    """Of a session of OpenAI's Realtime."""

    def __init__(
        self,
        rules: Rules,
        find: Callable[[str], Prompt | None],
        canary: str = "",
        *,
        beta: bool,
        transcribes: bool = False,
    ) -> None:
        """
        :param beta: the session is of the API's beta.
        :param transcribes: it is asked only to write down what is said.
        """
        super().__init__(rules, find, canary)
        self._dialect = "openai_realtime_beta" if beta else "openai_realtime"
        self._begun = transcribes  # there is nothing to begin with
        self._is_held = False  # whether the session's own instructions are
        self._awaits = False  # the provider's answer to the gateway's own event

    def opening(self) -> Frame | None:
        """The instructions and parameters that the session begins with."""
        session: Json = {}
        if self.rules is NO_RULES or self._begun:
            return None
        self._shape(session)
        if not session:
            return None
        self._awaits = True
        if self._dialect == "openai_realtime":
            session["type"] = "realtime"
        return _encode({"type": "session.update", "event_id": OURS, "session": session}).decode()

    def from_client(self, frame: Frame) -> Frame:
        """A frame whose instructions, template and parameters are as they may be."""
        raw = frame.encode() if isinstance(frame, str) else frame
        if self.rules is NO_RULES and not self._canary and b'"prompt"' not in raw:
            return frame
        try:
            kind = RequestBody(raw, DEPTH).field("type")
        except BodyError as error:
            raise InvalidRequest(error.message, code=error.code, param=error.path or None) from None
        event: Json = _decode(raw) if kind is not None and _decode(kind) in SAYING else {}
        said = event.get(SAYING.get(str(event.get("type")), ""))
        if not isinstance(said, dict) or said.get("type") == "transcription":
            return frame
        self._shape(said)
        return _encode(event).decode()

    def from_provider(self, frame: Frame) -> Frame | None:
        """Without the answer to the gateway's own event, and without the canary where it tells of the session."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if self._awaits and OURS in text:
            told: Any = _decode(text)
            reason = told.get("error", {}).get("message", "") if isinstance(told, dict) else ""
            raise UpstreamProtocol(f"The provider does not take the controls of this session: {reason}")
        if self._awaits and "session.updated" in text:
            self._awaits = False
            return None
        is_told = bool(self._canary) and '"session.' in text and self._canary in text
        return self._untold(frame) if is_told else frame

    def _untold(self, frame: Frame) -> Frame:
        event: Any = _decode(frame)
        session = event.get("session") if isinstance(event, dict) else None
        if not isinstance(session, dict) or not str(event.get("type")).startswith("session."):
            return frame
        session["instructions"] = str(session.get("instructions")).removesuffix(self._canary).rstrip()
        return _encode(event).decode()

    def _shape(self, said: Json) -> None:
        first, self._is_held = not self._is_held, True
        template = self._called(said, self._dialect)
        if template or first or "instructions" in said:
            own = said.get("instructions") or ""
            if not isinstance(own, str):
                raise InvalidRequest("The field instructions is no string.", param="instructions")
            texts = self._around([*template, own] if own else template)
            if texts or "instructions" in said:
                said["instructions"] = "\n\n".join(texts)
        self._hold(said, self._dialect, first=first)


class LiveControls(SessionControls):
    """Of a session of Gemini Live."""

    def setup(self, setup: Json) -> Json:
        """The first frame's ``setup``, as it may be."""
        setup = dict(setup)
        template = self._called(setup, "gemini")
        own = [setup.pop(name) for name in ("systemInstruction", "system_instruction") if setup.get(name) is not None]
        if len(own) > 1:
            raise InvalidRequest("The field setup.systemInstruction is there twice.", param="setup.systemInstruction")
        texts = self._around([*template, *(text for one in own for text in _texts(one))])
        if texts:
            setup["systemInstruction"] = {"parts": [{"text": text} for text in texts]}
        self._hold(setup, "gemini", first=True)
        return setup


def _texts(instruction: Any) -> list[str]:
    """The texts of Gemini's instructions."""
    parts = instruction.get("parts") if isinstance(instruction, dict) else None
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(parts, list) or not all(isinstance(part, dict) and set(part) == {"text"} for part in parts):
        message = "The field setup.systemInstruction has something else than texts."
        raise InvalidRequest(message, param="setup.systemInstruction")
    return [str(part["text"]) for part in parts]
