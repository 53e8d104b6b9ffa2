"""What is noted beside an answer that is kept, and which answers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dragoman.routing.plan import told_of
from dragoman.routing.settle import cost_of, finish_reason_of, text_of, tokens_of
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from dragoman.core import Recording
    from dragoman.routing.run import Run

# How they end where a tool is to be called: whole, and no answer to any other question.
CALLS = frozenset({"tool_calls", "function_call", "tool_use", "TOOL_CALL"})
# How answers end that are whole, in the words of all dialects.
WHOLE = frozenset(
    {
        *("stop", "end_turn", "eos", "eos_token", "complete", "COMPLETE", "completed", "STOP"),
        *("sequence", "stop_sequence", "STOP_SEQUENCE"),
        *CALLS,
    }
)


class Kept(Struct, frozen=True, kw_only=True, array_like=True):
    """Who answered, and what it came to."""

    provider: str
    model: str
    name: str  # of the deployment
    known_as: str
    content_type: str
    finish_reason: str
    tokens: Tokens
    cost_nanousd: int | None
    request_id: str  # of the request that was answered
    lossy: str = ""
    text: str = ""  # the beginning of the answer, where it may be given to other questions
    age_s: int = 0

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What whoever is given the answer again is told of it, as far as that is always the same."""
        told = [("x-dragoman-cache", "hit"), ("x-dragoman-cache-id", self.request_id)]
        return [("content-type", self.content_type), *told_of(self), *told]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


def kept_of(run: Run, recording: Recording, *, text_chars: int = 0) -> Kept | None:
    """What is noted of a provider's answer, which is in the recording then; ``None``: there was none.

    :param text_chars: of its text, at most.
    """
    outcome, deployment = run.outcome, run.deployment
    if outcome is None or deployment is None or run.status != 200:
        return None
    if recording.content_type is None:
        recording.write(outcome.header("content-type") or "application/json", outcome.body)
    tokens, _ = tokens_of(run)
    return Kept(
        provider=deployment.provider,
        model=deployment.model,
        name=deployment.name,
        known_as=deployment.known_as,
        content_type=recording.content_type or "",
        finish_reason=finish_reason_of(run),
        tokens=tokens,
        cost_nanousd=cost_of(run, tokens),
        request_id=run.request.id,
        lossy=run.lossy,
        text=text_of(run, outcome)[0][:text_chars] if text_chars else "",
    )


def is_whole(run: Run, finish_reason: str) -> bool:
    """Whether a request that is over was answered with all there is to its answer, and nothing wrong with it."""
    outcome, translation = run.outcome, run.translation
    if run.error is not None or run.status != 200 or outcome is None or outcome.failure:
        return False
    if outcome.missing_done or (translation is not None and (translation.cut or translation.unfinished)):
        return False
    if run.guarding is not None and run.guarding.verdicts.blocks:
        return False
    return finish_reason in WHOLE or (not finish_reason and run.endpoint in ENDLESS)


# Answers that have no end to speak of.
ENDLESS = frozenset({"embeddings", "embed", "rerank", "embedContent", "predict"})
