"""A request, answered with what is kept, with an answer that is under way for another, or by asking."""

from __future__ import annotations

from copy import copy
from random import random
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dragoman.cache.flight import Flight, Follower
from dragoman.cache.identity import apart_of, is_one_answer
from dragoman.cache.kept import CALLS, is_whole, kept_of
from dragoman.cache.semantic import Question, question_of
from dragoman.errors import ClientGone, NotCached, RequestError, ShuttingDown
from dragoman.routing.with_cost import write_kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dragoman.access.cache_knobs import CacheWish
    from dragoman.access.knobs import Knobs
    from dragoman.cache.answers import AnswerCache
    from dragoman.cache.embedders import Meaning
    from dragoman.cache.kept import Kept
    from dragoman.cache.watch import Watch, Watches
    from dragoman.config.caching import Cache
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Plan
    from dragoman.routing.run import Run

# How often another's failure is not taken for one's own.
TOLERATED_FAILURES = 1
# How much of an answer is compared with another, when a hit is checked.
TEXT_CHARS = 4_000
# What answers can be purged by; the last is the id of the request that was answered.
LABELS = ("key", "organisation", "team", "end_user", "model", "namespace", "id")


class Look(Struct, frozen=True, kw_only=True):
    """What is looked for, for one request."""

    key: bytes
    wish: CacheWish
    config: Cache
    question: Question | None = None  # None: it is not looked for in other words
    meaning: Meaning | None = None  # the question's vector, where a model makes them


def is_looked_for(knobs: Knobs, plan: Plan, config: Cache) -> bool:
    """Whether the cache may have the answer to a request."""
    wish, mode = knobs.cache_wish, plan.cache or config.mode
    return mode != "off" and wish.on is not False and (mode == "on" or wish.is_for_it)


def look_of(call: Call, plan: Plan, run: Run, config: Cache, raw: bytes, watches: Watches) -> Look | None:
    """What to look for; ``None``: the cache is not for this request.

    :param raw: the request as its client sent it.
    """
    if not is_looked_for(call.knobs, plan, config):
        return None
    wish = call.knobs.cache_wish
    if not is_one_answer(call, raw):
        run.cache = "bypass"
        return None
    apart = apart_of(call, plan, run.principal, config)
    question = None
    if plan.semantic is not None and not wish.exact:
        watch = watches.of(plan.alias, wish.namespace, plan.semantic)
        question = question_of(call, plan.semantic, apart, watch)
    return Look(
        key=apart.key(raw),
        wish=wish,
        config=config,
        question=question,
    )


def labels_of(run: Run, namespace: str) -> tuple[str, ...]:
    """What an answer can be purged by."""
    who = run.principal
    told = (who.key_id, who.organisation, who.team, run.end_user, run.alias, namespace, run.request.id)
    return tuple(f"{name}:{value}" for name, value in zip(LABELS, told, strict=True) if value)


class Provider(Struct, frozen=True):
    """How a provider is asked."""

    ask: Callable[[], Awaitable[None]]  # and the client answered
    embed: Callable[[str, str], Awaitable[Meaning | None]]  # asks the model of that alias for a text's vector
    check: Callable[[Watch, Kept], None]  # begins to ask for the same once more, to see whether a hit was right


async def through_cache(cache: AnswerCache, look: Look, call: Call, run: Run, provider: Provider) -> None:
    """Answer a request.

    Raises:
        RequestError: there is no answer. The client has been told already where its answer had begun.
    """
    run.cache = "refresh" if look.wish.refresh else "miss"
    if not look.wish.refresh and _given(cache, look, call, run):
        return
    look = await _understood(cache, look, run, provider)
    if not look.wish.refresh and await _given_alike(cache, look, call, run, provider):
        return
    if look.wish.only_cached:
        if cache.is_shared and await _kept_since(cache, look, call, run):
            return
        raise NotCached("No answer to this request is kept, and nothing else is wanted (only-if-cached).")
    failures = 0
    while True:
        flight = Flight(run, look.config.max_entry_bytes)
        found = flight if look.wish.refresh else cache.flights.setdefault(look.key, flight)
        if found is flight or not found.is_open or not look.config.share_in_flight:
            cache.flights[look.key] = flight
            if not look.wish.refresh and await _kept_since(cache, look, call, run):
                _landed(cache, look, flight)
                return
            await _lead(cache, look, flight, provider.ask)
            return
        if await _followed(found, call, run):
            return
        if found.error is not None and not isinstance(found.error, ClientGone | ShuttingDown):
            failures += 1
            if failures > TOLERATED_FAILURES or not found.error.retryable:
                raise copy(found.error)


def _given(cache: AnswerCache, look: Look, call: Call, run: Run) -> bool:
    """Give what is kept, if anything is."""
    found = cache.find(look.key, look.wish.max_age_s)
    if found is None:
        return False
    body, run.kept = found
    run.cache = "hit"
    write_kept(run, run.kept, body, stream=call.stream)
    return True


async def _kept_since(cache: AnswerCache, look: Look, call: Call, run: Run) -> bool:
    """Give what was kept since it was looked for, here or by another process."""
    if _given(cache, look, call, run):
        return True
    return cache.is_shared and await cache.fetch(look.key) and _given(cache, look, call, run)


async def _understood(cache: AnswerCache, look: Look, run: Run, provider: Provider) -> Look:
    """The same with the question's vector, where a model is to be asked for it, and the answer is not under way."""
    model, flight = cache.semantics.model, cache.flights.get(look.key)
    joins = flight is not None and flight.is_open and look.config.share_in_flight and not look.wish.refresh
    if look.question is None or not model or joins:
        return look
    meaning = await provider.embed(model, look.question.text)
    run.request.check_wanted()
    return replace(look, meaning=meaning)


async def _given_alike(cache: AnswerCache, look: Look, call: Call, run: Run, provider: Provider) -> bool:
    """Give the answer to a question that asks the same in other words, if there is one."""
    if look.question is None:
        return False
    watch = look.question.watch
    for key, score in cache.semantics.find(look.question, look.meaning):
        found = cache.find(key, look.wish.max_age_s)
        if found is None:
            cache.semantics.index.remove(key)
            continue
        if not await cache.semantics.may_serve(key, look.question):
            run.request.check_wanted()
            continue
        body, run.kept = found
        run.cache, run.score = "semantic", score
        watch.hits += 1
        write_kept(run, run.kept, body, stream=call.stream)
        if random() < watch.rule.check_share:  # noqa: S311 - a sample
            provider.check(watch, run.kept)
        return True
    return False


async def _followed(flight: Flight, call: Call, run: Run) -> bool:
    """Give what is under way for another. False: it has failed, and this client has got nothing of it."""
    run.cache = "shared"
    begun = await Follower(flight, call, run).follow()
    if begun and run.kept is not None:
        write_kept(run, run.kept, flight.recording.body, stream=call.stream, begun=call.stream)
    elif not begun:
        run.cache = "miss"
    return begun


async def _lead(cache: AnswerCache, look: Look, flight: Flight, ask: Callable[[], Awaitable[None]]) -> None:
    flight.lead()
    try:
        await ask()
        _keep(cache, look, flight)
    except RequestError as error:
        flight.error = error
        raise
    finally:
        _landed(cache, look, flight)


def _landed(cache: AnswerCache, look: Look, flight: Flight) -> None:
    if cache.flights.get(look.key) is flight:
        del cache.flights[look.key]
    flight.recording.end()


def _keep(cache: AnswerCache, look: Look, flight: Flight) -> None:
    """Note what an answer came to, and keep it if there is nothing wrong with it."""
    run, recording = flight.run, flight.recording
    kept = kept_of(run, recording, text_chars=0 if look.question is None else TEXT_CHARS)
    if kept is None:
        return
    flight.kept, wish = kept, look.wish
    if wish.no_store or recording.dropped or not is_whole(run, kept.finish_reason):
        return
    body = recording.body
    if len(body) <= look.config.max_entry_bytes:
        ttl_s = min(wish.ttl_s or wish.max_age_s or look.config.ttl_s, look.config.max_ttl_s)
        cache.keep(look.key, body, kept, labels_of(run, wish.namespace), ttl_s)
        if look.question is not None and flight.kept.finish_reason not in CALLS:
            cache.semantics.add(look.question, look.key, look.meaning)
            cache.semantics.sweep(cache)
