"""The prompt controls of a configuration, as requests use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.access.principal import applies

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.prompting import Decorator, Parameters, Prompting

# Whose rules are remembered.
MOST_REMEMBERED = 4096


class Rules(Struct, frozen=True):
    """What holds for one request."""

    decorators: tuple[Decorator, ...] = ()
    policies: tuple[Parameters, ...] = ()

    marks: bool = False  # whether marks for the provider's prompt cache are put in


NO_RULES = Rules()


class PromptControls(Struct, frozen=True, kw_only=True):
    """All of a snapshot."""

    config: Prompting
    _known: dict[tuple[str, ...], Rules] = {}

    def rules(self, principal: Principal, alias: str) -> Rules:
        """What holds for one request."""
        if not self.config.decorators and not self.config.parameters:
            return NO_RULES
        asker = (principal.key_id, principal.name, principal.organisation, principal.team, alias)
        known = self._known.get(asker)
        if known is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            decorators, policies = self.config.decorators.values(), self.config.parameters.values()
            policies_applied = tuple(one for one in policies if applies(one.applies_to, principal, alias))
            known = self._known[asker] = Rules(
                tuple(one for one in decorators if applies(one.applies_to, principal, alias)),
                policies_applied,
                any(policy.prompt_cache for policy in policies_applied),
            )
        return known
