"""The cache of answers as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dragoman.config.part import Part

CacheMode = Literal["off", "ask", "on"]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
PositiveInt = Annotated[int, Meta(ge=1)]
# What makes vectors here; every other name is a model's, of whose provider they are asked.
BUILT_IN_EMBEDDINGS = ("spelling", "wordllama")
Share = Annotated[float, Meta(gt=0, lt=1)]


class Semantic(Part, frozen=True, kw_only=True):
    """Answers that are given to questions in other words. Only what the user says last may differ."""

    least_score: Annotated[float, Meta(gt=0, le=1), "how sure it has to be that two ask the same; 1: no difference"] = (
        0.88
    )
    target_wrong_share: Annotated[Share, "of hits: the score is raised while more are found wrong"] = 0.01
    check_share: Annotated[float, Meta(ge=0, le=1), "of hits that are asked anew, to see whether they were right"] = (
        0.02
    )
    temperature: Annotated[Literal["zero", "any"], "any: for requests as well that do not say temperature: 0"] = "zero"


class Cache(Part, frozen=True, kw_only=True):
    """Answers that are kept, to be given to whoever asks exactly the same again."""

    mode: Annotated[CacheMode, "ask: for requests that ask for it; on: for all that do not refuse"] = "ask"
    scope: Annotated[Literal["key", "team", "organisation"], "who shares answers; a key without one, with nobody"] = (
        "key"
    )
    ttl_s: Annotated[Seconds, "how long an answer is kept, where the request does not say"] = 3600.0
    max_ttl_s: Annotated[Seconds, "the longest that a request may ask for"] = 30 * 86_400.0
    max_bytes: Annotated[PositiveInt, "all answers together, in memory"] = 64 * 1024 * 1024
    max_entry_bytes: Annotated[PositiveInt, "a larger answer is not kept"] = 1024 * 1024
    embedding: Annotated[str, "how other words are found: spelling, wordllama, or a model's alias"] = "spelling"
    embedding_timeout_s: Annotated[
        float, Meta(gt=0, le=30), "a model that takes longer is not waited for: nothing is found"
    ] = 1.0
    verifier: Annotated[
        Literal["none", "minilm"], "a second opinion on what is found in other words; minilm: dragoman[minilm]"
    ] = "none"
    max_questions: Annotated[PositiveInt, "that are found in other words, for each prompt around them"] = 50_000
    shared: Annotated[bool, "keep answers in redis as well, sealed, for all workers and servers"] = False
    persist: Annotated[bool, "keep answers over a restart, sealed, in the data_dir"] = False
    share_in_flight: Annotated[bool, "requests for the same answer at the same time share one call"] = True
