"""A request as guardrails see it: its bytes, and the texts in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.errors import GuardrailBlocked
from dragoman.guardrails import passages, plain
from dragoman.guardrails.verdict import Passage

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Json
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.call import Call


def hidden(guarding: Guarding, raw: bytes, asked: bytes) -> tuple[bytes, bytes]:
    """What may be sent of a request, and the same of all that it goes on from.

    Raises:
        GuardrailBlocked: it holds what is to be refused.
    """
    if guarding.lets_through(raw, asked):
        return raw, asked
    sent = guarding.hide(raw)
    return sent, sent if asked is raw else guarding.hide(asked)


def looked_into(guarding: Guarding, call: Call) -> list[Passage]:
    """The texts of a request, looked at; none where nobody else is to be shown what nothing was found in.

    Raises:
        GuardrailBlocked: a guardrail refuses it.
        InvalidRequest: it is not what its dialect says.
    """
    if is_chat(call) and not guarding.called and guarding.finds_nothing_in_chat(call.raw):
        return []
    texts, schema = seen_of_call(call)
    guarding.check_input(texts, schema)
    return texts


def seen_of_call(call: Call) -> tuple[list[Passage], Json | None]:
    """All texts of a request, and the schema of the answer that it asks for.

    Raises:
        InvalidRequest: it is not what its dialect says.
    """
    surface, reading = call.surface, call.reading
    if reading is None or surface is None or (not surface.translated and not surface.task):
        return passages.of_body(call.raw), None
    if surface.task:
        return passages.of_task(reading.asked), None
    if is_chat(call) and (texts := plain.of_chat(call.raw)) is not None:
        return texts, None
    form = reading.request.format
    return passages.of_request(reading.request), None if form is None else form.schema


def is_chat(call: Call) -> bool:
    """Whether a request, and so its answer, is of OpenAI's chat."""
    return call.endpoint == "chat" and call.dialect == "openai_chat"


def said_in(body: bytes) -> list[Passage] | None:
    """The texts of an answer of which only its bytes are known; ``None``: it is no text."""
    texts = passages.of_text(body)
    return None if texts is None else [Passage("output", passage.text, "assistant") for passage in texts]


def refusal_of_body(guarding: Guarding, body: bytes) -> GuardrailBlocked | None:
    """Why an answer of which only its bytes are known may not reach the client."""
    texts = said_in(body)
    if texts is None:
        return guarding.cannot_see("its answer is no text, and so not looked into")
    finding = guarding.refuses(texts)
    return None if finding is None else GuardrailBlocked("output", finding.reason)
