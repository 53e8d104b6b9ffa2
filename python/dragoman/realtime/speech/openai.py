"""What the frames of OpenAI's Realtime say, with the names of its beta as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.dialects.lenient import text_of
from dragoman.realtime.speech.spoken import Piece, Speech, Spoken, Stop, part
from dragoman.realtime.texts import ANSWERED, said_in

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Json
    from dragoman.errors import RequestError

# The gateway's own event that ends an answer.
CANCEL = "event_dragoman_guardrails"
# Whose frames say nothing of a model's.
STATE = (
    "session.",
    "transcription_session.",
    "input_audio_buffer.",
    "output_audio_buffer.",
    "rate_limits.",
    "conversation.created",
    "conversation.item.input_audio_transcription.",
    "conversation.item.deleted",
    "conversation.item.truncated",
    "error",
)
HEARD = "conversation.item.input_audio_transcription.completed"
ALOUD = frozenset({"response.output_audio.delta", "response.audio.delta"})
# Items that are clients'.
CLIENTS = frozenset({"function_call_output", "mcp_approval_response"})


class OpenAISpeech(Speech):
    """One session."""

    text_by = 'session.output_modalities: ["text"]'

    def __init__(self) -> None:
        self._active = ""  # the answer that goes on
        self._items: dict[str, str] = {}  # of answers that go on: which each is part of
        self._speaks = True  # as sessions do that say nothing else

    def read(self, event: Json) -> Spoken:
        """By the event's kind."""
        kind = text_of(event, "type")
        if kind.startswith(STATE):
            self._note_session(part(event, "session"))
            return Spoken(heard=text_of(event, "transcript") if kind == HEARD else "", is_judged=False)
        answer = text_of(event, "response_id") or text_of(part(event, "response"), "id") or self._active
        if kind in ALOUD:
            return Spoken(answer, is_aloud=True)
        item = part(event, "item")
        if kind.startswith("conversation.item."):
            if text_of(item, "role") in ("user", "system") or text_of(item, "type") in CLIENTS:
                return Spoken(is_judged=False)
            answer = self._items.get(text_of(item, "id"), "")
        elif item and answer:
            self._items[text_of(item, "id")] = answer
        return self._part_of(answer, kind, event)

    def _part_of(self, answer: str, kind: str, event: Json) -> Spoken:
        if kind == "response.created":
            self._active = answer
        is_over = kind == "response.done"
        if is_over:
            self._active = "" if self._active == answer else self._active
            self._items = {item: of for item, of in self._items.items() if of != answer}
        delta = event.get("delta")
        slot = (text_of(event, "item_id"), str(event.get("content_index", "")), kind.rpartition(".")[0])
        if kind.endswith(".delta") and isinstance(delta, str):
            is_call, thinks = "arguments" in kind, "reasoning" in kind
            event.pop("logprobs", None)  # which tell all of the text, where some of it is held back
            piece = Piece(slot, "call" if is_call else "thought" if thinks else "text", ("delta",), delta)
            return Spoken(answer, [piece], rest=said_in({**event, "delta": ""}, ANSWERED))
        whole = (slot,) if kind.endswith(".done") else ()
        rest = said_in(event, ANSWERED)
        return Spoken(answer, whole=whole, rest=rest, is_aloud=rest.has_media, settles=is_over, ends=is_over)

    def _note_session(self, session: Json) -> None:
        wanted = _modalities(session)
        if wanted is not None:
            self._speaks = "audio" in wanted

    def left(self, event: Json, piece: Piece, text: str) -> Json:
        """One more delta."""
        return {**event, "delta": text}

    def without(self, event: Json, pieces: list[Piece]) -> Json | None:
        """An event has one, and nothing else."""
        return None

    def stop(self, answer: str) -> Stop:
        """Cancelled."""
        which = {"response_id": answer} if answer else {}
        return Stop(to_provider=[{"type": "response.cancel", "event_id": CANCEL, **which}])

    def turned_away(self, event: Json) -> Stop:
        """Of items that the client knows of, that they have come to their end."""
        item = part(event, "item")
        if text_of(event, "type") != "response.output_item.done" or text_of(item, "id") not in self._items:
            return Stop()
        kept = {name: item[name] for name in ("id", "object", "type", "role", "call_id") if name in item}
        empty: Json = {"content": []} if item.get("type") == "message" else {"name": "", "arguments": ""}
        return Stop([{**event, "item": {**kept, **empty, "status": "incomplete"}}])

    def ended(self, event: Json, error: RequestError) -> Json:
        """As the provider's own filter would have it."""
        told = {"type": error.type, "code": error.error_code, "message": error.message}
        details = {"type": "incomplete", "reason": "content_filter", "error": told}
        response = {**part(event, "response"), "status": "incomplete", "status_details": details, "output": []}
        return {**event, "response": response}

    def unheard(self, event: Json, error: RequestError) -> tuple[str, Stop]:
        """An answer to it is cancelled, and it is taken out of the conversation."""
        delete = {"type": "conversation.item.delete", "event_id": CANCEL, "item_id": text_of(event, "item_id")}
        cancel = self.stop(self._active).to_provider if self._active else []
        return self._active, Stop([self.error(error)], [*cancel, delete])

    def error(self, error: RequestError, about: Any = None) -> Json:
        """An ``error`` event."""
        told: Json = {"type": error.type, "code": error.error_code, "message": error.message, "param": error.param}
        known = about.get("event_id") if isinstance(about, dict) else None
        told["event_id"] = known if isinstance(known, str) else None
        return {"type": "error", "event_id": "event_gateway", "error": told}

    def asks_aloud(self, event: Json) -> bool:
        """By the modalities that it asks for; by those of the session, where an answer asks for none."""
        kind = text_of(event, "type")
        if kind == "response.create":
            wanted = _modalities(part(event, "response"))
            return self._speaks if wanted is None else "audio" in wanted
        wanted = _modalities(part(event, "session")) if kind == "session.update" else None
        if wanted is not None and "audio" not in wanted:
            self._speaks = False  # before the provider says so: answers are asked for at once
        return wanted is not None and "audio" in wanted

    def is_sound(self, event: Json) -> bool:
        """What is added to the buffer."""
        return text_of(event, "type") == "input_audio_buffer.append"

    def is_ours(self, event: Json) -> bool:
        """That there was nothing to cancel, or to delete, any more."""
        return text_of(part(event, "error"), "event_id") == CANCEL


def _modalities(said: Json) -> list[Any] | None:
    wanted = said.get("output_modalities", said.get("modalities"))
    return wanted if isinstance(wanted, list) else None
