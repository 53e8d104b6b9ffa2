"""From the configuration to those who are called out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.config.called import BedrockGuardrail, Judge, Moderation, Presidio, Webhook
from dragoman.guardrails.called.asked import CalledGuard, Http
from dragoman.guardrails.called.bedrock import BedrockForm
from dragoman.guardrails.called.judge import ModelJudge
from dragoman.guardrails.called.moderation import ModerationForm
from dragoman.guardrails.called.presidio import PresidioForm
from dragoman.guardrails.called.webhook import WebhookForm
from dragoman.guardrails.verdict import Verdict
from dragoman.identity.aws import aws_signer
from dragoman.routing.elsewhere import target_of

if TYPE_CHECKING:
    from dragoman.config.guards import Guardrail, Place
    from dragoman.config.part import Part
    from dragoman.core import Upstream
    from dragoman.guardrails.called.asked import Form, Service

EVERYWHERE: tuple[Place, ...] = ("input", "output", "tool_arguments", "tool_results")
KINDS: dict[str, tuple[Place, ...]] = dict.fromkeys(
    ("webhook", "openai_moderation", "presidio", "bedrock_guardrail", "judge"), EVERYWHERE
)


def called_guard(name: str, guardrail: Guardrail, kind: str, part: Part, upstream: Upstream) -> CalledGuard:
    """One guardrail, ready for use.

    Raises:
        ConfigError: it has no credentials.
    """
    shadow = guardrail.mode == "shadow"
    return CalledGuard(
        name=name,
        places=frozenset(guardrail.on or KINDS[kind]),
        applies_to=guardrail.applies_to,
        service=_service(part, upstream, f"guardrails.{name}.{kind}"),
        blocks=guardrail.action == "block",
        shadow=shadow,
        closed=guardrail.on_error == "closed",
        timeout_s=guardrail.timeout_s,
        parallel=guardrail.parallel,
        on_stream=guardrail.streamed,
        allows=Verdict(guardrail=name, ruling="allow", shadow=shadow),
    )


def _service(part: Part, upstream: Upstream, where: str) -> Service:
    match part:
        case Webhook():
            form = WebhookForm(part)
            return _http(form, upstream, form.base_url, list(part.headers.items()), private=part.allow_private)
        case Moderation():
            headers = [("authorization", f"Bearer {part.api_key}")] if part.api_key else []
            return _http(ModerationForm(part), upstream, part.base_url, headers, private=part.allow_private)
        case Presidio():
            return _http(PresidioForm(part), upstream, part.url.rstrip("/"), [], private=part.allow_private)
        case BedrockGuardrail():
            base_url = part.base_url or f"https://bedrock-runtime.{part.region}.amazonaws.com"
            aws = replace(part.aws, region=part.aws.region or part.region)
            signer = aws_signer(aws, "bedrock", base_url, where)
            return Http(BedrockForm(part), target_of(upstream, base_url, [], private=part.allow_private), signer)
        case Judge():
            return ModelJudge(part)
    raise TypeError(part)


def _http(form: Form, upstream: Upstream, base_url: str, headers: list[tuple[str, str]], *, private: bool) -> Http:
    return Http(form, target_of(upstream, base_url, headers, private=private))
