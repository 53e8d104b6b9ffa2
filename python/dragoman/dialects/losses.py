"""What a request loses on its way into another dialect: named, never silent.

Two kinds matter to a client in different ways. A *hint* (a seed, a penalty, a detail of an image) shapes the answer;
without it the answer is still one to the question. What changes the *meaning* of the request (the schema of its answer,
the tool it must call, a second choice) leaves the client with something it did not ask for. The policy says which of
them are refused instead of left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Request

# ``allow``: nothing is refused. ``meaning``: what changes the meaning is. ``strict``: everything is.
Policy = Literal["allow", "meaning", "strict"]
How = Literal["dropped", "approximated"]
# Fields that change nothing: the version of what is spoken, and a limit by its other name.
INERT = frozenset({"anthropic_version", "max_tokens"})


class Loss(Struct, frozen=True):
    """One thing that a pair of dialects cannot carry."""

    field: str  # as the client's dialect calls it, such as ``messages[2].content[0]``
    how: How
    why: str = ""
    meaning: bool = False


class Losses:
    """What one request has lost so far. A field is told once, whatever number of places it stands in."""

    def __init__(self) -> None:
        self.found: dict[str, Loss] = {}

    def drop(self, field: str, why: str = "", *, meaning: bool = False) -> None:
        """The target has no word for it."""
        self.found.setdefault(field, Loss(field, "dropped", why, meaning))

    def approximate(self, field: str, why: str = "", *, meaning: bool = False) -> None:
        """The target has only something like it."""
        self.found.setdefault(field, Loss(field, "approximated", why, meaning))

    def drop_own(self, request: Request) -> None:
        """What a request has of its own dialect alone."""
        if request.previous_id:
            self.drop("previous_response_id", "answers are stored by their own provider", meaning=True)
        for name in request.extra:
            if not name.startswith("_") and name not in INERT:
                self.drop(name, f"a field of {request.dialect}")

    def refused(self, policy: Policy) -> list[Loss]:
        """Those that the policy does not allow."""
        if policy == "allow":
            return []
        return [loss for loss in self.found.values() if policy == "strict" or loss.meaning]

    def header(self) -> str:
        """The value of ``x-dragoman-lossy``: the fields, those that are approximated with a tilde."""
        return ", ".join(f"{'~' if loss.how == 'approximated' else ''}{loss.field}" for loss in self.found.values())
