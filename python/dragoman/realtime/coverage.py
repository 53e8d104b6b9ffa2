"""Whether guardrails see all of a session: poison put into every place of both protocols, both ways.

Found out by doing it, as for the dialects: a client's frame is judged and masked, a provider's answer comes sign by
sign, and whole. A place is ``covered`` where the poison was refused there, held or not, and the hidden value neither
left nor was lost on its way back. Sound is ``refused`` where nothing may pass unseen, and told of where it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dragoman.access.principal import ANONYMOUS
from dragoman.config.guards import Guardrail, Mask, OnStream, Words
from dragoman.config.schema import Config
from dragoman.errors import GuardrailBlocked
from dragoman.guardrails.build import build_guardrails
from dragoman.guardrails.coverage import HIDDEN, POISON, Covered
from dragoman.realtime.guarded import Guarded
from dragoman.realtime.speech.gemini import GeminiSpeech
from dragoman.realtime.speech.openai import OpenAISpeech
from dragoman.realtime.texts import said_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from dragoman.dialects.canonical import Json
    from dragoman.guardrails.guarding import Guarding
    from dragoman.realtime.speech.spoken import Speech

    Frames = Callable[[str], list[Json]]

T = TypeVar("T")
_encode, _decode = msgspec.json.encode, msgspec.json.decode
HOLE: Covered = "hole"


def _item(kind: str, **fields: Any) -> Json:
    return {"type": "conversation.item.create", "item": {"type": kind, **fields}}


def _message(role: str, **content: str) -> Json:
    return _item("message", role=role, content=[content])


def _update(**session: Any) -> Json:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def _respond(**response: Any) -> Json:
    return {"type": "response.create", "response": {"output_modalities": ["text"], **response}}


def _turns(role: str, **part: Any) -> Json:
    return {"clientContent": {"turns": [{"role": role, "parts": [part]}], "turnComplete": True}}


def _setup(**setup: Any) -> Json:
    return {"setup": {"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}, **setup}}


def _json(text: str) -> str:
    return _encode({"text": text}).decode()


# What clients say, by its place.
ASKED: dict[str, dict[str, Callable[[str], Json]]] = {
    "openai_realtime": {
        "instructions": lambda text: _update(instructions=text),
        "instructions of one answer": lambda text: _respond(instructions=text),
        "user": lambda text: _message("user", type="input_text", text=text),
        "user, as it is typed": lambda text: _respond(input=[_message("user", type="input_text", text=text)["item"]]),
        "an earlier answer": lambda text: _message("assistant", type="output_text", text=text),
        "tool call": lambda text: _item("function_call", call_id="c", name="f", arguments=_json(text)),
        "tool result": lambda text: _item("function_call_output", call_id="c", output=text),
        "tool description": lambda text: _update(tools=[{"type": "function", "name": "f", "description": text}]),
        "tool schema": lambda text: _update(tools=[{"name": "f", "parameters": {"description": text}}]),
    },
    "gemini_live": {
        "instructions": lambda text: _setup(systemInstruction={"parts": [{"text": text}]}),
        "instructions of one answer": lambda text: {
            "contextUpdate": {"systemInstruction": {"parts": [{"text": text}]}}
        },
        "user": lambda text: _turns("user", text=text),
        "user, as it is typed": lambda text: {"realtimeInput": {"text": text}},
        "an earlier answer": lambda text: _turns("model", text=text),
        "tool call": lambda text: _turns("model", functionCall={"name": "f", "args": {"text": text}}),
        "tool result": lambda text: {
            "toolResponse": {"functionResponses": [{"id": "c", "name": "f", "response": {"text": text}}]}
        },
        "tool description": lambda text: _setup(tools=[{"functionDeclarations": [{"name": "f", "description": text}]}]),
        "tool schema": lambda text: _setup(tools=[{"functionDeclarations": [{"parameters": {"description": text}}]}]),
    },
}
_ANSWER = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def _deltas(kind: str, field: str) -> Frames:
    def frames(text: str) -> list[Json]:
        deltas = [{"type": f"response.{kind}.delta", **_ANSWER, "delta": sign} for sign in text]
        return [*deltas, {"type": f"response.{kind}.done", **_ANSWER, field: text}]

    return frames


def _whole(**item: Any) -> Json:
    return {"type": "response.output_item.done", "response_id": "r", "item": {"id": "i", "status": "completed", **item}}


def _content(**content: Any) -> Json:
    return {"serverContent": content}


def _parts(*parts: Json) -> Json:
    return _content(modelTurn={"role": "model", "parts": list(parts)})


# What models say, by its place: frames that say a text.
ANSWERED: dict[str, dict[str, Frames]] = {
    "openai_realtime": {
        "text, sign by sign": _deltas("output_text", "text"),
        "text, whole": lambda text: [_whole(type="message", role="assistant", content=[{"text": text}])],
        "spoken words, sign by sign": _deltas("output_audio_transcript", "transcript"),
        "tool call, sign by sign": lambda text: _deltas("function_call_arguments", "arguments")(_json(text)),
        "tool call, whole": lambda text: [_whole(type="function_call", name="f", arguments=_json(text))],
        "a field that nobody knows": lambda text: [{"type": "response.new", "response_id": "r", "field": {"x": text}}],
        "an item that is asked for": lambda text: [
            {
                "type": "conversation.item.retrieved",
                "item": {"type": "message", "role": "assistant", "content": [{"text": text}]},
            }
        ],
    },
    "gemini_live": {
        "text, sign by sign": lambda text: [_parts({"text": sign}) for sign in text],
        "text, whole": lambda text: [_parts({"text": text})],
        "spoken words, sign by sign": lambda text: [_content(outputTranscription={"text": sign}) for sign in text],
        "thoughts": lambda text: [_parts({"text": sign, "thought": True}) for sign in text],
        "tool call, whole": lambda text: [{"toolCall": {"functionCalls": [{"name": "f", "args": {"text": text}}]}}],
        "a field that nobody knows": lambda text: [_content(groundingMetadata={"x": text})],
    },
}
ENDS: dict[str, Json] = {
    "openai_realtime": {"type": "response.done", "response": {"id": "r", "status": "completed", "output": []}},
    "gemini_live": _content(turnComplete=True),
}
# What the client says aloud, as its provider has understood it.
HEARD: dict[str, Callable[[str], list[Json]]] = {
    "openai_realtime": lambda text: [
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": text}
    ],
    "gemini_live": lambda text: [
        *(_content(inputTranscription={"text": sign}) for sign in text),
        _parts({"text": "Well."}),
    ],
}
# Sound, both ways.
SOUND_ASKED: dict[str, Json] = {
    "openai_realtime": {"type": "input_audio_buffer.append", "audio": "AAAA"},
    "gemini_live": {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAAA"}}},
}
SOUND_ANSWERED: dict[str, Json] = {
    "openai_realtime": {"type": "response.output_audio.delta", **_ANSWER, "delta": "AAAA"},
    "gemini_live": _parts({"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}),
}
SPEECHES: dict[str, Callable[[], Speech]] = {"openai_realtime": OpenAISpeech, "gemini_live": GeminiSpeech}


def coverage() -> dict[str, dict[str, Covered]]:
    """Of each protocol every place, both ways."""
    told: dict[str, dict[str, Covered]] = {name: {} for name in SPEECHES}
    answers = dict.fromkeys(place for places in ANSWERED.values() for place in places)
    for name, places in told.items():
        for place, event in ASKED[name].items():
            places[f"client: {place}"] = asked(name, event)
        places["client: spoken words"] = heard(name)
        places["client: sound"] = sound_asked(name)
        for place in answers:
            frames = ANSWERED[name].get(place)
            places[f"model: {place}"] = "none" if frames is None else answered(name, frames)
        places["model: sound"] = sound_answered(name)
    return told


class Talk:
    """A session under guardrails, without a network."""

    def __init__(self, name: str, *, on_stream: OnStream = "windows", opens: bool = False) -> None:
        words = Guardrail(words=Words(deny=(POISON,)), on_stream=on_stream, on_error="open" if opens else "closed")
        hidden = Guardrail(mask=Mask(), on_error="open")
        built = build_guardrails(Config(guardrails={"hidden": hidden, "poison": words}))

        def begin() -> Guarding:
            guarding = built.begin(ANONYMOUS, "m", b"pepper")
            assert guarding is not None  # noqa: S101 - there are guardrails for everybody
            return guarding

        self.guarded = Guarded(begin, SPEECHES[name](), _LIMITS, None)

    def says(self, event: Json) -> str:
        """What the provider gets of a client's frame."""
        return str(_at_once(self.guarded.from_client(_encode(event).decode())))

    def gets(self, events: Iterable[Json]) -> list[Json]:
        """What the client gets of a provider's frames."""
        passing = [_at_once(self.guarded.from_provider(_encode(event).decode())) for event in events]
        return [_decode(frame) for one in passing for frame in one.to_client]


_LIMITS = Config().server.limits


def _at_once(waiting: Coroutine[Any, Any, T]) -> T:
    """What comes of it where nobody is called out."""
    try:
        waiting.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise RuntimeError("somebody is waited for")


def _told(frames: list[Json]) -> str:
    """All that frames say, the pieces of texts put together."""
    return "".join(passage.text for frame in frames for passage in said_in(frame).passages)


def _hidden(name: str, session: Talk) -> str:
    """What stands for the hidden value."""
    sent = session.says(ASKED[name]["user"](f"<{HIDDEN}>"))
    return sent[sent.index("<") + 1 : sent.index(">")]


def asked(name: str, event: Callable[[str], Json]) -> Covered:
    """What becomes of a client's frame."""
    sent = Talk(name).says(event(HIDDEN))
    try:
        Talk(name).says(event(POISON))
    except GuardrailBlocked as blocked:
        return "covered" if blocked.guardrail == "poison" and HIDDEN not in sent and "EMAIL_" in sent else HOLE
    return HOLE


def answered(name: str, frames: Frames) -> Covered:
    """What becomes of an answer."""
    ways: tuple[OnStream, ...] = ("windows", "hold")
    for on_stream in ways:
        session = Talk(name, on_stream=on_stream)
        if HIDDEN not in _told(session.gets([*frames(f"to {_hidden(name, session)}."), ENDS[name]])):
            return HOLE
        refused = _told(Talk(name, on_stream=on_stream).gets([*frames(f"a {POISON} b"), ENDS[name]]))
        if POISON[:4] in refused:
            return HOLE
    return "covered"


def heard(name: str) -> Covered:
    """What becomes of what a client is understood to say aloud, where that may be heard."""
    told = Talk(name, opens=True).gets([*HEARD[name](POISON), ENDS[name]])
    return "covered" if "poison" in _told(told) and "Well." not in _told(told) else HOLE


def sound_asked(name: str) -> Covered:
    """What becomes of what a client says aloud."""
    session = Talk(name, opens=True)
    session.says(SOUND_ASKED[name])
    try:
        Talk(name).says(SOUND_ASKED[name])
    except GuardrailBlocked:
        return "refused" if "poison=not_scanned" in session.guarded.of_session().told else HOLE
    return HOLE


def sound_answered(name: str) -> Covered:
    """What becomes of what a model says aloud."""
    session = Talk(name, opens=True)
    passed = session.gets([SOUND_ANSWERED[name], ENDS[name]])
    refused = Talk(name).gets([SOUND_ANSWERED[name], ENDS[name]])
    is_told = "poison=not_scanned" in session.guarded.of_session().told
    return "refused" if SOUND_ANSWERED[name] in passed and SOUND_ANSWERED[name] not in refused and is_told else HOLE
