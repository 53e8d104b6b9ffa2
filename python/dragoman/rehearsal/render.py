"""The choices as OpenAI writes them: one JSON body, or a stream of events.

A stream's events are put together from bytes rather than encoded from structures: all but the text is the same in
each, and this is what a rehearsed upstream spends its time on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.rehearsal.answer import Call, Said

DONE = b"data: [DONE]\n\n"
_json = msgspec.json.encode


class Usage(Struct, frozen=True):
    """What an answer is billed."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def fields(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


class Head(Struct, frozen=True):
    """What every body and every event of one answer begins with."""

    id: str
    created: int
    model: str

    def fields(self, kind: str) -> dict[str, Any]:
        """The head of an object of that kind."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


TAIL: dict[str, Any] = {"service_tier": "default", "system_fingerprint": "fp_rehearsal"}


class Shape(Struct, frozen=True):
    """How one endpoint writes its answers."""

    whole: str
    chunk: str
    choice: Callable[[int, Said], dict[str, Any]]
    fragments: Callable[[int, Said], Iterator[bytes]]  # of one choice: what stands in ``choices`` of each event


def body(shape: Shape, head: Head, said: list[Said], usage: Usage | None) -> bytes:
    """A whole answer."""
    fields = head.fields(shape.whole)
    fields["choices"] = [shape.choice(index, one) for index, one in enumerate(said)]
    if usage is not None:
        fields["usage"] = usage.fields()
    return _json(fields | TAIL)


def events(shape: Shape, head: Head, said: list[Said], usage: Usage | None) -> Iterator[bytes]:
    """A streamed answer, the choices taking turns; ``[DONE]`` is left to the caller.

    With ``usage``, a last event without choices says it, and all the others carry ``"usage":null``.
    """
    start = b"data: " + _json(head.fields(shape.chunk) | TAIL)[:-1] + b',"choices":['
    end = b"]}\n\n" if usage is None else b'],"usage":null}\n\n'
    for turn in zip_longest(*(shape.fragments(index, one) for index, one in enumerate(said))):
        for fragment in turn:
            if fragment is not None:
                yield start + fragment + end
    if usage is not None:
        yield start + b'],"usage":' + _json(usage.fields()) + b"}\n\n"


def _message_choice(index: int, said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said.pieces), "refusal": None, "annotations": []}
    if said.thought:
        message["reasoning_content"] = "".join(said.thought)
    if said.calls:
        message["content"] = None
        if said.legacy:
            message["function_call"] = _opened(said.calls[0], "".join(said.calls[0].pieces))["function"]
        else:
            message["tool_calls"] = [_opened(call, "".join(call.pieces)) for call in said.calls]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": said.finish_reason}


def _text_choice(index: int, said: Said) -> dict[str, Any]:
    text = said.prefix + "".join(said.pieces)
    return {"text": text, "index": index, "logprobs": None, "finish_reason": said.finish_reason}


def _opened(call: Call, text: str) -> dict[str, Any]:
    """A tool call as it stands in a message, or opens in a stream, with so much of its text."""
    if call.tool.function is None:
        return {"id": call.id, "type": "custom", "custom": {"name": call.tool.name, "input": text}}
    return {"id": call.id, "type": "function", "function": {"name": call.tool.name, "arguments": text}}


def _message_fragments(index: int, said: Said) -> Iterator[bytes]:
    start = b'{"index":%d,"delta":' % index
    end = b',"logprobs":null,"finish_reason":null}'
    yield start + (b'{"role":"assistant","content":%b,"refusal":null}' % (b"null" if said.calls else b'""')) + end
    for piece in said.thought:
        yield start + b'{"reasoning_content":' + _json(piece) + b"}" + end
    for piece in said.pieces:
        yield start + b'{"content":' + _json(piece) + b"}" + end
    for position, call in enumerate(said.calls):
        for delta in _call_deltas(call, position, legacy=said.legacy):
            yield start + _json(delta) + end
    yield start + b'{},"logprobs":null,"finish_reason":' + _json(said.finish_reason) + b"}"


def _call_deltas(call: Call, position: int, *, legacy: bool) -> Iterator[dict[str, Any]]:
    opened = _opened(call, "")
    yield {"function_call": opened["function"]} if legacy else {"tool_calls": [{"index": position, **opened}]}
    word, field = ("custom", "input") if call.tool.function is None else ("function", "arguments")
    for piece in call.pieces:
        more = {field: piece}
        yield {"function_call": more} if legacy else {"tool_calls": [{"index": position, word: more}]}


def _text_fragments(index: int, said: Said) -> Iterator[bytes]:
    end = b',"index":%d,"logprobs":null,"finish_reason":null}' % index
    for piece in [said.prefix, *said.pieces] if said.prefix else said.pieces:
        yield b'{"text":' + _json(piece) + end
    yield b'{"text":"","index":%d,"logprobs":null,"finish_reason":%b}' % (index, _json(said.finish_reason))


CHAT = Shape("chat.completion", "chat.completion.chunk", _message_choice, _message_fragments)
COMPLETION = Shape("text_completion", "text_completion", _text_choice, _text_fragments)
