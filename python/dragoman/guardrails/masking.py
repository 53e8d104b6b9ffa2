"""Personal data and secrets of requests, hidden from providers and shown again in their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import Masker
from dragoman.errors import GuardrailBlocked
from dragoman.guardrails.sieve import Sought
from dragoman.guardrails.verdict import Finding, Verdict

if TYPE_CHECKING:
    from dragoman.config.guards import AppliesTo, Guardrail, Mask, Place
    from dragoman.core import MaskSession
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage


# All of a request: it is hidden from its bytes, which know no places.
PLACES: tuple[Place, ...] = ("input", "tool_arguments", "tool_results")


def masker_of(mask: Mask) -> Masker:
    """What a configuration asks for.

    Raises:
        ValueError: an entity or pattern that there is none of.
    """
    return Masker(
        entities=list(mask.entities) or None,
        threshold=mask.threshold,
        action=mask.action,
        actions=dict(mask.actions),
        patterns=mask.patterns,
        words={name: list(words) for name, words in mask.words.items()},
    )


class Hider:
    """One guardrail that hides."""

    def __init__(self, name: str, guardrail: Guardrail, mask: Mask) -> None:
        self.name = name
        self.applies_to: AppliesTo = guardrail.applies_to
        self.shadow = guardrail.mode == "shadow"
        self.closed = guardrail.on_error == "closed"
        self.masker = masker_of(mask)
        self.allows = Verdict(guardrail=name, ruling="allow", shadow=self.shadow)
        self.places: frozenset[Place] = frozenset(guardrail.on or PLACES)

    def begin(self, tenant: bytes) -> Hiding:
        """What it hides of one request."""
        return Hiding(self, self.masker.session(tenant))


class Hiding:
    """One guardrail at one request."""

    def __init__(self, hider: Hider, session: MaskSession) -> None:
        self.hider = hider
        self.session = session

    def hide(self, body: bytes) -> bytes:
        """The body as it may be sent.

        Raises:
            GuardrailBlocked: it holds what is to be refused.
        """
        hidden = self.session.mask_body(body)
        if self.hider.shadow:
            return body
        if self.session.blocked:
            kinds = sorted({entity for entity, _, action in self.session.found if action == "block"})
            raise GuardrailBlocked(self.hider.name, f"{', '.join(kinds)} in the request")
        return hidden

    def check(self, sent: bytes) -> None:
        """Hold what is about to be sent to what was to be hidden.

        Raises:
            GuardrailBlocked: some of it is still there.
        """
        if self.hider.shadow or not self.session.has_placeholders:
            return
        leak = self.session.leak(sent)
        if leak is not None:
            reason = f"{leak} stands where it cannot be hidden, such as in an id or a name of the protocol"
            raise GuardrailBlocked(self.hider.name, reason)

    @property
    def verdict(self) -> Verdict:
        """What came of it."""
        found = self.session.found
        if not found:
            return self.hider.allows
        actions = {action for _, _, action in found}
        ruling = "block" if "block" in actions else "mask" if actions - {"flag"} else "flag" if actions else "allow"
        return Verdict(
            guardrail=self.hider.name,
            ruling=ruling,  # type: ignore[arg-type]
            shadow=self.hider.shadow,
            place="input" if found else "",
            signals=tuple(sorted({entity for entity, _, _ in found})),
        )


class FoundPersonal:
    """The same in answers, where it was not the client who said it: found, not hidden."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self.sought = Sought(finders=(masker,))

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """What kinds there are."""
        kinds = {entity for passage in passages for entity, *_ in self._masker.find(passage.text)}
        return Finding(reason=", ".join(sorted(kinds)), signals=tuple(sorted(kinds))) if kinds else None
