"""From the configuration to guardrails that can be used, once a snapshot."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.access.principal import applies
from dragoman.guardrails.applied import Applied, Guards, of_answers
from dragoman.guardrails.called.build import KINDS as CALLED
from dragoman.guardrails.called.build import called_guard
from dragoman.guardrails.guard import Guard, Look
from dragoman.guardrails.guarding import Guarding
from dragoman.guardrails.harmless import Harmless
from dragoman.guardrails.injection import Injections
from dragoman.guardrails.leakage import PromptLeaks, canary_of
from dragoman.guardrails.lists import DeniedPatterns, DeniedWords
from dragoman.guardrails.masking import FoundPersonal, Hider
from dragoman.guardrails.schema import OfSchema
from dragoman.guardrails.screen import Screen
from dragoman.guardrails.shape import InvisibleText, Lengths, ProgramCode, Scripts
from dragoman.guardrails.sieve import is_told_by_texts, sieve_of
from dragoman.guardrails.toxicity import Abuse
from dragoman.guardrails.urls import AllowedHosts
from dragoman.guardrails.verdict import Allowed, Verdict

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.guards import Guardrail, Place
    from dragoman.config.schema import Config
    from dragoman.core import Upstream
    from dragoman.guardrails.called.asked import CalledGuard

EVERYWHERE: tuple[Place, ...] = ("input", "output", "tool_arguments", "tool_results")
ASKED: tuple[Place, ...] = ("input", "tool_results")
ANSWERED: tuple[Place, ...] = ("output",)
# Where the texts of chats stand that say nothing but texts.
ASKED_TEXTS: frozenset[Place] = frozenset({"input"})
ANSWERED_TEXTS: frozenset[Place] = frozenset({"output"})
# What each kind is made by, and where it looks where nothing is said.
KINDS: dict[str, tuple[Callable[[Any], Look], tuple[Place, ...]]] = {
    "injection": (Injections, ASKED),
    "leakage": (PromptLeaks, ANSWERED),
    "words": (DeniedWords, EVERYWHERE),
    "patterns": (DeniedPatterns, EVERYWHERE),
    "json_schema": (OfSchema, ANSWERED),
    "language": (Scripts, EVERYWHERE),
    "length": (Lengths, ("input",)),
    "urls": (AllowedHosts, ANSWERED),
    "invisible": (InvisibleText, EVERYWHERE),
    "code": (ProgramCode, EVERYWHERE),
    "toxicity": (Abuse, EVERYWHERE),
}
# Aliases come from clients: what is remembered of them is bounded.
MOST_REMEMBERED = 4096
# What is told of each text by itself.
EACH = frozenset({"injection", "words", "patterns", "language", "urls", "invisible", "code", "toxicity"})


class Guardrails(Struct, frozen=True, kw_only=True):
    """All guardrails of a snapshot."""

    hiders: tuple[Hider, ...] = ()
    guards: tuple[Guard, ...] = ()
    called: tuple[CalledGuard, ...] = ()
    canaries: frozenset[str] = frozenset()  # names of those who put a word into the system prompt
    identity: bytes = b""  # a digest of what was configured
    _sets: dict[tuple[str, ...], Applied] = {}
    _by_request: dict[tuple[str | bytes, ...], tuple[Applied, bytes]] = {}

    def begin(self, principal: Principal, alias: str, pepper: bytes) -> Guarding | None:
        """What holds for one request; ``None``: nothing.

        :param pepper: what tenants' keys are made from.
        """
        if not self.hiders and not self.guards and not self.called:
            return None
        applied, key = self._known(principal, alias, pepper)
        if not (applied.hiders or applied.guards or applied.called):
            return None
        return Guarding(applied, key)

    def canary(self, principal: Principal, alias: str, pepper: bytes) -> str:
        """What is put into the system prompt of a request, and may be in no answer; empty: nothing is."""
        if not self.canaries:
            return ""
        applied, key = self._known(principal, alias, pepper)
        return canary_of(key) if applied.has_canary else ""

    def _known(self, principal: Principal, alias: str, pepper: bytes) -> tuple[Applied, bytes]:
        """What holds for a request, and the key of its tenant."""
        spared = principal.spares
        asker = (principal.key_id, principal.name, principal.organisation, principal.team, alias, pepper, spared)
        known = self._by_request.get(asker)
        if known is None:
            known = self._applied(principal, alias), _tenant_key(principal, pepper)
            if len(self._by_request) >= MOST_REMEMBERED:
                self._by_request.clear()
            self._by_request[asker] = known
        return known

    def _applied(self, principal: Principal, alias: str) -> Applied:
        def is_for_it(guard: Hider | Guard | CalledGuard) -> bool:
            return applies(guard.applies_to, principal, alias) and not principal.is_spared(guard.name)

        hiders = tuple(filter(is_for_it, self.hiders))
        guards = tuple(filter(is_for_it, self.guards))
        called = tuple(filter(is_for_it, self.called))
        names = (*(one.name for one in hiders), "", *(one.name for one in guards), "", *(one.name for one in called))
        applied = self._sets.get(names)
        if applied is None:
            screen = Screen(guard.rules for guard in guards if guard.rules is not None)
            all_of_them, looking = Guards(guards), of_answers(guards, called)
            unmasked = Allowed({hider.name: hider.allows for hider in hiders})
            passed = Allowed(all_of_them.concerned(ASKED_TEXTS).allows, unmasked)
            applied = self._sets[names] = Applied(
                hiders=hiders,
                guards=all_of_them,
                called=called,
                of_answers=looking,
                unmasked=unmasked,
                passed=passed,
                answered=Allowed(looking.guards.concerned(ANSWERED_TEXTS).allows, passed),
                has_canary=any(guard.name in self.canaries for guard in guards),
                screen=screen,
                harmless=Harmless(),
                requests=sieve_of("input", guards, screen, hiders),
                tells_all=is_told_by_texts("input", guards),
                answers=sieve_of("output", guards, screen) if is_told_by_texts("output", guards) else None,
                identity=self.identity + "\0".join(names).encode(),
            )
        return applied


def _tenant_key(principal: Principal, pepper: bytes) -> bytes:
    """What placeholders are made with: of each tenant its own."""
    tenant = principal.organisation or principal.key_id
    return hmac.digest(pepper, b"placeholders\0" + tenant.encode(), "sha256")


def build_guardrails(config: Config, upstream: Upstream | None = None) -> Guardrails:
    """The guardrails of a configuration, which has been checked.

    :param upstream: what asks those who are called out; without it, these are left out.

    Raises:
        ConfigError: one that is called out has no credentials.
    """
    hiders = []
    guards = []
    called = []
    for name, guardrail in config.guardrails.items():
        for kind, part in guardrail.kinds.items():
            if kind in CALLED:
                if upstream is not None:
                    called.append(called_guard(name, guardrail, kind, part, upstream))
                continue
            if kind != "mask":
                make, places = KINDS[kind]
                guards.append(_guard(name, guardrail, make(part), frozenset(guardrail.on or places), kind))
                continue
            hider = Hider(name, guardrail, part)  # type: ignore[arg-type]
            hiders.append(hider)
            if "output" in hider.places:
                guards.append(_guard(name, guardrail, FoundPersonal(hider.masker), frozenset({"output"}), kind))
    identity = hashlib.sha256(msgspec.json.encode(config.guardrails)).digest()
    canaries = frozenset(name for name, one in config.guardrails.items() if one.leakage and one.leakage.canary)
    return Guardrails(
        hiders=tuple(hiders), guards=tuple(guards), called=tuple(called), canaries=canaries, identity=identity
    )


def _guard(name: str, guardrail: Guardrail, look: Look, places: frozenset[Place], kind: str) -> Guard:
    required = guardrail.patterns is not None and bool(guardrail.patterns.require)
    shadow = guardrail.mode == "shadow"
    return Guard(
        name=name,
        places=places,
        applies_to=guardrail.applies_to,
        look=look,
        on_stream=guardrail.streamed,
        each=kind in EACH and not required,
        blocks=guardrail.action == "block",
        shadow=shadow,
        closed=guardrail.on_error == "closed",
        repairs=guardrail.json_schema is not None and guardrail.json_schema.repair,
        rules=None if required else getattr(look, "rules", None),
        sought=getattr(look, "sought", None),
        allows=Verdict(guardrail=name, ruling="allow", shadow=shadow),
    )
