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
    binding: tuple[str, ...] = ()  # the names of those that no request may get by


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
            known = self._known[asker] = self._found(principal, alias)
        return known

    def _found(self, principal: Principal, alias: str) -> Rules:
        def is_for_it(named: tuple[str, Decorator | Parameters]) -> bool:
            return applies(named[1].applies_to, principal, alias)

        decorators = list(filter(is_for_it, self.config.decorators.items()))
        policies = list(filter(is_for_it, self.config.parameters.items()))
        binding = [f"prompts.decorators.{name}" for name, _ in decorators]
        binding += [f"prompts.parameters.{name}" for name, one in policies if one.binds]
        return Rules(
            tuple(one for _, one in decorators),
            tuple(one for _, one in policies),
            any(one.prompt_cache for _, one in policies),
            tuple(binding),
        )
