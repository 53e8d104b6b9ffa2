"""Slurs and abuse, by a lexicon: words that are abuse nearly wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import Masker
from dragoman.guardrails.screen import Rules
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.guards import Toxicity
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage

LEXICON = (
    *("asshole", "assholes", "bastard", "bastards", "bitch", "bitches", "bullshit", "cocksucker", "cunt", "cunts"),
    *("dickhead", "dipshit", "douchebag", "dumbass", "fag", "faggot", "faggots", "fuck", "fucked", "fucker", "fuckers"),
    *("fucking", "fuck off", "gook", "jackass", "kike", "kikes", "motherfucker", "motherfucking", "nigger", "niggers"),
    *("paki", "piece of shit", "prick", "retard", "retarded", "shithead", "shut the hell up", "slut", "sluts", "spic"),
    *("spics", "subhuman", "trannies", "tranny", "twat", "wanker", "wetback", "whore", "whores", "go kill yourself"),
    *("kill yourself", "kys", "you should die", "i hope you die", "go to hell", "you people are vermin"),
    *(
        "arschloch",
        "fotze",
        "hurensohn",
        "missgeburt",
        "schlampe",
        "wichser",
        "connard",
        "connasse",
        "encule",
        "salope",
    ),
    *(
        "fils de pute",
        "cabron",
        "hijo de puta",
        "maricon",
        "puta",
        "pendejo",
        "stronzo",
        "puttana",
        "figlio di puttana",
    ),
    *("filho da puta", "vai se foder", "klootzak", "kankerlijer"),
)


class Abuse:
    """Words of the lexicon."""

    def __init__(self, toxicity: Toxicity) -> None:
        allowed = {word.lower() for word in toxicity.less}
        words = [word for word in (*LEXICON, *toxicity.more) if word.lower() not in allowed]
        self.rules = Rules(words=tuple(words))
        self._finder = Masker(entities=["CUSTOM"], words={"abuse": words or ["\0"]})

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether one is said."""
        for passage in passages:
            if self._finder.find(passage.text):
                return Finding(reason="abusive language")
        return None
