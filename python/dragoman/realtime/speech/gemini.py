"""What the frames of Gemini Live say: one answer at a time, a turn, which the client cannot cancel.

A turn that is refused comes to its end unheard; a tool that it wants run is refused in the client's place, since
nothing more would come without an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.dialects.gemini.errors import error_json
from dragoman.dialects.lenient import list_of, objects_of, text_of
from dragoman.dialects.reports import report_of
from dragoman.realtime.speech.spoken import Piece, Speech, Spoken, Stop, blanked, part
from dragoman.realtime.texts import ANSWERED, plain, said_in

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Json
    from dragoman.errors import RequestError

TURN = "turn"
REFUSED = "GENERATED_CONTENT_PROHIBITED"
TEXT, THOUGHT, ALOUD = ("text",), ("thought",), ("outputTranscription",)
SLOTS = (TEXT, THOUGHT, ALOUD)
# What a turn's frames hold that is the client's own, as it was understood.
UNDERSTOOD = ("inputTranscription", "interimInputTranscription")
# What comes when all that was being said is whole.
WHOLE = ("turnComplete", "generationComplete", "interrupted")
SOUND = frozenset({"audio", "video", "mediachunks"})
# A transcript is looked at when so much of it has come, whether it is over or not.
MOST_HEARD = 16 * 1024


class GeminiSpeech(Speech):
    """One session."""

    text_by = 'setup.generationConfig.responseModalities: ["TEXT"]'

    def __init__(self) -> None:
        self._heard = ""  # of what the client is saying

    def read(self, event: Json) -> Spoken:
        """By the members it has."""
        content = part(event, "serverContent")
        calls = part(event, "toolCall")
        own = {name: value for name, value in content.items() if name not in UNDERSTOOD}
        heard = self._transcript(part(content, "inputTranscription"), is_over=bool(own or calls))
        if not own and not calls:
            rest = said_in({name: value for name, value in event.items() if name != "serverContent"}, ANSWERED)
            return Spoken(heard=heard, rest=rest, is_judged=bool(rest.passages))
        ends, pieces = own.get("turnComplete") is True, self._pieces(own)
        rest = said_in(self._less({**event, "serverContent": own}, pieces), ANSWERED)
        return Spoken(
            TURN,
            pieces,
            whole=SLOTS if calls or any(own.get(name) for name in WHOLE) else (),
            rest=rest,
            heard=heard,
            is_aloud=rest.has_media,
            settles=ends or bool(calls),
            ends=ends,
        )

    def _transcript(self, transcription: Json, *, is_over: bool) -> str:
        self._heard += text_of(transcription, "text")
        if not (is_over or transcription.get("finished") or len(self._heard) > MOST_HEARD):
            return ""
        heard, self._heard = self._heard, ""
        return heard

    def _pieces(self, content: Json) -> list[Piece]:
        pieces = []
        for at, one in enumerate(list_of(part(content, "modelTurn"), "parts")):
            if isinstance(one, dict) and (text := text_of(one, "text")):
                thinks = one.get("thought") is True
                path = ("serverContent", "modelTurn", "parts", at, "text")
                pieces.append(Piece(THOUGHT if thinks else TEXT, "thought" if thinks else "text", path, text))
        if text := text_of(part(content, "outputTranscription"), "text"):
            pieces.append(Piece(ALOUD, "text", ("serverContent", "outputTranscription", "text"), text))
        return pieces

    def _less(self, event: Json, pieces: list[Piece]) -> Json:
        """A frame without the pieces' texts."""
        return event if not pieces else self.without(blanked(event, pieces), pieces) or {}

    def left(self, event: Json, piece: Piece, text: str) -> Json:
        """A frame that says nothing else."""
        if piece.slot == ALOUD:
            return {"serverContent": {"outputTranscription": {"text": text}}}
        said: Json = {"text": text} | ({"thought": True} if piece.kind == "thought" else {})
        return {"serverContent": {"modelTurn": {"role": "model", "parts": [said]}}}

    def without(self, event: Json, pieces: list[Piece]) -> Json | None:
        """Parts that say nothing more are left out, and so is what has no parts left."""
        content = dict(part(event, "serverContent"))
        turn = part(content, "modelTurn")
        parts = [one for one in list_of(turn, "parts") if not _is_empty(one)]
        if parts:
            content["modelTurn"] = {**turn, "parts": parts}
        elif list_of(turn, "parts"):
            del content["modelTurn"]
        if _is_empty(content.get("outputTranscription")):
            del content["outputTranscription"]
        rest = {name: value for name, value in event.items() if name != "serverContent"}
        return {**rest, "serverContent": content} if content else rest or None

    def stop(self, answer: str) -> Stop:
        """The client stops to play what it has; the provider cannot be told."""
        return Stop([{"serverContent": {"interrupted": True}}])

    def turned_away(self, event: Json) -> Stop:
        """That a tool was not run."""
        refused = {"error": "The call was refused."}
        results = [
            {"id": text_of(call, "id"), "name": text_of(call, "name"), "response": refused}
            for call in objects_of(part(event, "toolCall"), "functionCalls")
        ]
        return Stop(to_provider=[{"toolResponse": {"functionResponses": results}}] if results else [])

    def ended(self, event: Json, error: RequestError) -> Json:
        """As the provider's own filter would have it; which guardrail it was stands beside."""
        kept = {name: event[name] for name in ("usageMetadata",) if name in event}
        return {**kept, "serverContent": {"turnComplete": True, "turnCompleteReason": REFUSED}, **_told(error)}

    def unheard(self, event: Json, error: RequestError) -> tuple[str, Stop]:
        """The turn that follows."""
        return TURN, self.stop(TURN)

    def error(self, error: RequestError, about: Any = None) -> Json:
        """As the API's errors are; Google's SDK raises what has a code and is no message."""
        told = _told(error)
        return {"code": told["error"]["code"], **told}

    def asks_aloud(self, event: Json) -> bool:
        """A setup does that does not ask for text alone."""
        setup = {plain(name): value for name, value in part(event, "setup").items()}
        config = {plain(name): value for name, value in part(setup, "generationconfig").items()}
        return "setup" in event and config.get("responsemodalities") not in (["TEXT"], ["text"])

    def is_sound(self, event: Json) -> bool:
        """What is heard or seen as it happens."""
        said = part({plain(name): value for name, value in event.items()}, "realtimeinput")
        return not SOUND.isdisjoint(map(plain, said))


def _is_empty(said: Any) -> bool:
    """Whether a part says nothing: its text is empty, and it has no proof or sound."""
    return isinstance(said, dict) and said.get("text") == "" and not said.keys() - {"text", "thought"}


def _told(error: RequestError) -> Json:
    return error_json(report_of(error))
