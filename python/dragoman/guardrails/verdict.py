"""What a guardrail says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from dragoman.config.guards import Place

# ``not_scanned``: it could not look, which is never the same as having found nothing.
# ``repaired``: it was asked for once more, and is right now.
Ruling = Literal["allow", "mask", "block", "flag", "repaired", "not_scanned"]


class Passage(Struct, frozen=True):
    """A text, and where it stands."""

    place: Place
    text: str
    role: str = "user"  # whose words they are
    choice: int = 0  # of which answer, where there are several
    aside: bool = False  # not of the answer's own words: thought on the way, cited, a block of its dialect's


class Finding(Struct, frozen=True, kw_only=True):
    """Something that a guardrail found."""

    reason: str  # for the client: what kind of thing, never the thing itself
    score: float | None = None
    signals: tuple[str, ...] = ()  # what spoke for it
    only_flagged: bool = False  # whoever found it would not refuse it


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of one guardrail at one request."""

    guardrail: str
    ruling: Ruling
    shadow: bool = False  # only told of
    place: str = ""
    reason: str = ""
    score: float | None = None
    signals: tuple[str, ...] = ()
    told: str = ""  # as headers have it

    def __post_init__(self) -> None:
        force_setattr(self, "told", f"{self.guardrail}={self.ruling}{';shadow' * self.shadow}")


# Worst first: what a guardrail that ruled several times is shown with.
_ORDER: tuple[Ruling, ...] = ("block", "not_scanned", "flag", "mask", "repaired", "allow")


class Allowed:
    """What is noted where nobody finds anything: the same at nearly every request, and so worked out once."""

    __slots__ = ("after", "told", "verdicts")

    def __init__(self, verdicts: dict[str, Verdict], after: Allowed | None = None) -> None:
        """:param after: what was noted before."""
        self.after = after
        self.verdicts: dict[str, Verdict] = (
            verdicts if after is None else {**after.verdicts, **verdicts, **after.verdicts}
        )
        self.told = _told(self.verdicts)


class Verdicts:
    """What came of all guardrails at one request: of each the worst."""

    __slots__ = ("_allowed", "_told", "worst")

    def __init__(self) -> None:
        self.worst: dict[str, Verdict] = {}
        self._told = ""
        self._allowed: Allowed | None = None  # all that was noted

    def note(self, verdict: Verdict) -> None:
        """A guardrail has ruled."""
        known = self.worst.get(verdict.guardrail)
        if known is verdict:
            return
        if known is None or _ORDER.index(verdict.ruling) < _ORDER.index(known.ruling):
            self.worst[verdict.guardrail] = verdict
            self._told, self._allowed = "", None

    def allow(self, allowed: Allowed) -> None:
        """Those that this is of, and were not before, have found nothing."""
        if self._allowed is not allowed.after or (allowed.after is None and self.worst):
            self.note_all(allowed.verdicts)
            return
        self.worst = allowed.verdicts.copy()
        self._told, self._allowed = allowed.told, allowed

    def note_all(self, allows: dict[str, Verdict]) -> None:
        """Guardrails have found nothing."""
        if self.worst.keys() >= allows.keys():
            return
        self.worst = {**self.worst, **allows, **self.worst}  # in the order in which they are first told of
        self._told, self._allowed = "", None

    def replace(self, verdict: Verdict) -> None:
        """A guardrail has ruled anew, and what it said before holds no more."""
        self.worst[verdict.guardrail] = verdict
        self._told, self._allowed = "", None

    @property
    def blocks(self) -> bool:
        """Whether something was refused."""
        return any(one.ruling == "block" and not one.shadow for one in self.worst.values())

    @property
    def told(self) -> str:
        """As the header x-dragoman-guardrails and the usage row have them: ``pii=mask, topics=flag;shadow``."""
        if not self._told:
            self._told = _told(self.worst)
        return self._told


def _told(verdicts: dict[str, Verdict]) -> str:
    return ", ".join([one.told for one in verdicts.values()])
