"""Answers to questions that were asked in other words.

Compared is what the user said last; everything else about a request has to be the same: who asks, the model, the
conversation, every parameter, the guardrails. Requests with tools, media or a warm temperature are left out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.cache.embedders import embedder_of
from dragoman.cache.graphs import Graphs
from dragoman.cache.minilm import MiniLM
from dragoman.cache.watch import Watch, Watches
from dragoman.config.caching import BUILT_IN_EMBEDDINGS
from dragoman.core import ExactCache, SemanticIndex
from dragoman.dialects.canonical import Text
from dragoman.driver import CalledBack

if TYPE_CHECKING:
    from dragoman.cache.answers import AnswerCache
    from dragoman.cache.embedders import Meaning
    from dragoman.config.caching import Cache, Semantic
    from dragoman.core import Apart
    from dragoman.dialects.canonical import Request
    from dragoman.routing.call import Call

_encode = msgspec.json.Encoder().encode
MOST_CHARS = 2_000
# Rows whose answers are gone are looked for when there are so many more rows than answers.
SPARE_ROWS = 1_024


class Question(Struct, frozen=True, kw_only=True):
    """What was asked, and what has to be the same beside it."""

    namespace: bytes
    text: str
    watch: Watch


def question_of(call: Call, rule: Semantic, apart: Apart, watch: Watch) -> Question | None:
    """The question of a request; ``None``: it is none that may be answered with another's answer.

    :param apart: what the answer depends on beside the body.
    """
    surface, reading = call.surface, call.reading
    if surface is None or reading is None or not surface.translated or surface.task:
        return None
    request = reading.request
    if request.tools or (rule.temperature == "zero" and request.temperature != 0):
        return None
    if any(type(block) is not Text for message in request.messages for block in message.blocks):
        return None
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or len(last.blocks) != 1:
        return None
    (block,) = last.blocks
    text = block.text if isinstance(block, Text) else ""
    if not text.strip() or len(text) > MOST_CHARS:
        return None
    return Question(namespace=apart.key(b"semantic", _encode(_without(request))), text=text, watch=watch)


def _without(request: Request) -> Request:
    """A request without the user's last words, wherever they stand in it."""
    last = request.messages[-1]
    emptied = replace(last, blocks=(replace(last.blocks[0], text=""),))
    extra = {name: value for name, value in request.extra.items() if name != "input"}
    return replace(request, messages=(*request.messages[:-1], emptied), extra=extra)


def _of_model(namespace: bytes, meaning: Meaning) -> bytes:
    """A namespace of one model's vectors of one length: others are never compared with them."""
    return ExactCache.key([namespace, meaning.model.encode(), str(len(meaning.vector)).encode()])


class Semantics:
    """Questions that have been answered."""

    def __init__(self, config: Cache) -> None:
        """:raises ConfigError: the embedding cannot be had."""
        self.embedder = embedder_of(config.embedding)
        self.model = "" if config.embedding in BUILT_IN_EMBEDDINGS else config.embedding  # whom vectors are asked of
        self.watches = Watches()
        self.index = SemanticIndex(self.embedder, config.max_questions, 0 if self.model else None)
        self.graphs = Graphs(self.index)
        self.verifier = MiniLM() if config.verifier == "minilm" else None

    def add(self, question: Question, key: bytes, meaning: Meaning | None) -> None:
        """A question has an answer, kept under that key.

        :param meaning: its vector, where a model makes them; without one it is not found again.
        """
        if meaning is None and self.model:
            return
        namespace = question.namespace if meaning is None else _of_model(question.namespace, meaning)
        if self.index.add(namespace, key, question.text, None if meaning is None else meaning.vector):
            self.graphs.added(namespace, key)

    def find(self, question: Question, meaning: Meaning | None) -> list[tuple[bytes, float]]:
        """The keys of answers to questions that ask the same, and how sure that is."""
        if meaning is None and self.model:
            return []
        namespace = question.namespace if meaning is None else _of_model(question.namespace, meaning)
        vector = None if meaning is None else meaning.vector
        near = None
        if self.graphs.has(namespace):
            vector = self.embedder.embed(question.text) if vector is None else vector
            near = self.graphs.near(namespace, vector)
        text, least = question.text, question.watch.least_score
        if near is None:
            found = self.index.find(namespace, text, least, vector)
        else:
            found = self.index.find_among(near, namespace, text, least, vector)
        return [(key, score) for key, score, _ in found]

    async def may_serve(self, key: bytes, question: Question) -> bool:
        """Whether the second opinion, if one is wanted, is that a question's answer may be given to another.

        For a coroutine that a driver runs.
        """
        known = self.index.text(key)
        if self.verifier is None or known is None or known == question.text:
            return known is not None
        return await CalledBack(partial(self.verifier.ask, known, question.text))

    def close(self) -> None:
        """Have nothing done in the background any more."""
        self.graphs.close()
        if self.verifier is not None:
            self.verifier.close()

    def rows(self) -> list[tuple[bytes, bytes, str, bytes]]:
        """All questions, to be restored: namespace, key, text, and the vector where a model has made it."""
        kept = [(row, self.index.vector(row[1]) if self.model else b"") for row in self.index.rows()]
        return [(*row, vector) for row, vector in kept if vector is not None]

    def restore(self, rows: list[tuple[bytes, bytes, str, bytes]]) -> None:
        """Know again what was known, as far as vectors are still made in the same way."""
        for namespace, key, text, vector in rows:
            if bool(vector) == bool(self.model):
                given = [float(value) for value in memoryview(vector).cast("b")]
                if self.index.add(namespace, key, text, given or None):
                    self.graphs.added(namespace, key)

    def sweep(self, cache: AnswerCache, *, spare: int = SPARE_ROWS) -> None:
        """Forget the questions whose answers are gone, if they may be many."""
        if len(self.index) > len(cache) + spare:
            for _, key, _ in self.index.rows():
                if cache.find(key) is None:
                    self.index.remove(key)
