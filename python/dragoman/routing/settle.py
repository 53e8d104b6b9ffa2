"""The end of every request: one usage row, one count in the metrics, whatever happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import astuple

from dragoman.core import read_answer
from dragoman.errors import Internal
from dragoman.ledger.hold import close
from dragoman.routing.translation import TEXT_CHARS
from dragoman.usage.count import count
from dragoman.usage.row import Tokens, UsageRow

if TYPE_CHECKING:
    from dragoman.core import Outcome
    from dragoman.dialects.canonical import Usage
    from dragoman.gateway import Gateway
    from dragoman.routing.run import Run
    from dragoman.usage.row import UsageSource

_encode = msgspec.json.Encoder().encode
# An attempt that ended like this may have cost what it had generated until then.
BILLED_FAILURES = frozenset({"client_gone", "total_timeout", "idle_timeout"})
# Text of a whole answer that is counted where the provider reports no usage.
TEXT_BYTES = 256 * 1024


def settle(gateway: Gateway, run: Run) -> None:
    """Record a request that is over."""
    if run.error is None and not run.answered:
        run.error = Internal("the request met a bug, which the log tells of")
    tokens, source, cost_nanousd = run.spent or spent_by(run)
    deployment = run.deployment
    if run.error is None and deployment is not None and tokens.output:
        gateway.learn_output(deployment.known_as, tokens.output)
    if source == "provider" and run.counted is not None and deployment is not None and not run.counted.exact:
        deployment.counter.learn(deployment.model, run.counted, tokens.input)
    if run.hold is not None:
        close(run, run.hold, tokens, cost_nanousd, gateway.snapshot.config.ledger)
    row = astuple(_row(run, tokens, source, cost_nanousd))
    gateway.writer.put_all([row])
    gateway.auditor.request(run, row)
    by = run.kept or deployment
    count(gateway.metrics, [row], "" if by is None else by.known_as)


def spent_by(run: Run) -> tuple[Tokens, UsageSource, int | None]:
    """What a request has used and cost, as far as is known now."""
    tokens, source = tokens_of(run)
    return tokens, source, cost_of(run, tokens)


def cost_of(run: Run, tokens: Tokens) -> int | None:
    """What they cost at the deployment that answered; ``None``: it has no price."""
    deployment = run.deployment
    if run.kept is not None:
        return 0
    return None if deployment is None or deployment.rates is None else deployment.rates.cost(tokens)


def output_tokens(run: Run) -> int:
    """How many tokens an answer has, as far as its provider says."""
    if run.translation is not None:
        return run.translation.usage.output if run.translation.usage is not None else 0
    usage = None if run.outcome is None else run.outcome.usage
    return 0 if usage is None else usage[1]


def tokens_of(run: Run) -> tuple[Tokens, UsageSource]:
    """What the provider reported; else, where it was sent and may be billed, what was counted."""
    outcome, translation = run.outcome, run.translation
    if run.metered is not None:
        return run.metered, "provider"
    if run.kept is not None:
        return run.kept.tokens, "cache"
    if outcome is None:
        return Tokens(), "none"
    if translation is not None and translation.usage is not None:
        return tokens_of_usage(translation.usage), "provider"
    if translation is not None and translation.unfinished:
        return Tokens(), "none"
    usage = outcome.usage
    if usage is not None:
        return Tokens(*usage), "provider"
    billed = not outcome.failure or run.begun or outcome.failure in BILLED_FAILURES
    if not billed or not outcome.sent or run.counted is None or run.deployment is None:
        return Tokens(), "none"
    text, truncated = text_of(run, outcome)
    output = run.deployment.counter.count(text) if text else 0
    exact = run.counted.exact and not truncated
    return Tokens(input=run.counted.tokens, output=output), "counted" if exact else "estimated"


def finish_reason_of(run: Run) -> str:
    """Why the answer ended, in its provider's words."""
    if run.kept is not None:
        return run.kept.finish_reason
    if run.translation is not None:
        return run.translation.finish_reason
    return run.metered_stop if run.outcome is None else run.outcome.finish_reason


def text_of(run: Run, outcome: Outcome) -> tuple[str, bool]:
    """What an answer without usage says, and whether that is not all of it."""
    if run.translation is not None:
        return run.translation.text, len(run.translation.text) >= TEXT_CHARS
    if run.stream or outcome.failure:
        return outcome.text, outcome.text_truncated
    return read_answer(outcome.body, keep_text_bytes=TEXT_BYTES).text, False


def tokens_of_usage(usage: Usage) -> Tokens:
    """The usage of a translated answer."""
    return Tokens(
        input=usage.input,
        output=usage.output,
        cached_input=usage.cached,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
        audio_input=usage.audio_input,
        audio_output=usage.audio_output,
        cache_write_1h=usage.cache_write_1h,
        cached_audio=usage.cached_audio,
        image_input=usage.image_input,
        image_output=usage.image_output,
    )


def _row(run: Run, tokens: Tokens, source: UsageSource, cost_nanousd: int | None) -> UsageRow:
    request, principal, by = run.request, run.principal, run.kept or run.deployment
    knobs = run.knobs
    private = knobs is not None and knobs.no_log
    tags = principal.tags if knobs is None or private else principal.tags + knobs.tags
    overhead_ms, upstream_ms = request.reply.times_ms()
    return UsageRow(
        request_id=request.id,
        started_at_ms=request.started_at_ms,
        snapshot=run.snapshot,
        endpoint=run.endpoint,
        status=run.status,
        error_code="" if run.error is None else run.error.error_code,
        fault="" if run.error is None else run.error.fault,
        key_id=principal.key_id,
        organisation=principal.organisation,
        team=principal.team,
        user=principal.user,
        app=principal.app,
        end_user="" if private else run.end_user,
        tags=",".join(sorted(set(tags))) if tags else "",
        metadata="" if knobs is None or private or not knobs.metadata else json.dumps(knobs.metadata),
        trace_id=run.trace_id,
        alias=run.alias,
        provider="" if by is None else by.provider,
        model="" if by is None else by.model,
        deployment="" if by is None else by.name,
        credential="" if run.member is None else run.member.credential,
        stream=run.stream,
        attempts=len(run.notes),
        fallback_index=run.fallback_index,
        attempt_log=_encode(run.notes).decode() if run.notes else "",
        finish_reason=finish_reason_of(run),
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_input_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        audio_input_tokens=tokens.audio_input,
        audio_output_tokens=tokens.audio_output,
        usage_source=source,
        cost_nanousd=cost_nanousd,
        total_ms=overhead_ms + upstream_ms,
        upstream_ms=upstream_ms,
        overhead_ms=overhead_ms,
        first_token_ms=run.first_token_ms,
        lossy=run.lossy,
        cache_write_1h_tokens=tokens.cache_write_1h,
        cached_audio_tokens=tokens.cached_audio,
        image_input_tokens=tokens.image_input,
        image_output_tokens=tokens.image_output,
        guardrails="" if run.guarding is None else run.guarding.told,
        cache=run.cache,
        prompt=run.prompt,
        saved_nanousd=0 if run.kept is None else run.kept.cost_nanousd or 0,
        run="" if knobs is None or private else knobs.session,
    )
