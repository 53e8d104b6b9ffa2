"""Turns whose proofs the client may not bring back: put into the vault, and taken from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.dialects.recall import recalled
from dragoman.routing.stored import tenant_of

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.dialects.canonical import Request
    from dragoman.routing.run import Run
    from dragoman.store.vault import Vault


def remember(vault: Vault, run: Run) -> None:
    """Keep what was proved of the turn that was answered, unless nothing of it is to be kept."""
    turn = None if run.translation is None else run.translation.turn
    if turn is not None and not (run.knobs is not None and run.knobs.no_log):
        vault.put(tenant_of(run.principal), turn)


def completed(vault: Vault, principal: Principal, request: Request) -> Request:
    """A request, with what was proved of its turns before."""
    if not vault.keeps_any:
        return request
    return replace(request, messages=recalled(request.messages, partial(vault.find, tenant_of(principal))))
