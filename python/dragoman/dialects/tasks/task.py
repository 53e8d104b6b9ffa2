"""The canonical form of requests for vectors and for an order, and what a wire format of them is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.losses import Losses
from dragoman.errors import Untranslatable

# What a vector is for: asymmetric models embed a query unlike a document.
Purpose = Literal[
    "", "document", "query", "classification", "clustering", "image", "similarity", "question", "fact", "code"
]
Truncate = Literal["", "none", "start", "end"]


class Picture(Struct, frozen=True):
    """An image to embed, as base64."""

    media_type: str
    data: str

    @property
    def url(self) -> str:
        """As a data URL."""
        return f"data:{self.media_type};base64,{self.data}"


class Embed(Struct, frozen=True, kw_only=True):
    """A request for one vector of each input."""

    model: str
    inputs: tuple[str | Picture, ...]
    tokens: list[Any] = []  # instead of inputs: in the words of one model's vocabulary
    dimensions: int | None = None
    purpose: Purpose = ""
    truncate: Truncate = ""
    formats: tuple[str, ...] = ("float",)  # as Cohere calls them: float, base64, int8, uint8, binary, ubinary
    title: str = ""  # of the document
    max_tokens_each: int | None = None  # what is read of each input
    single: bool = False  # one vector was asked for, not a list of one
    extra: dict[str, Any] = {}  # what only its own dialect has a word for

    @property
    def texts(self) -> list[str]:
        """What the model reads."""
        return [one for one in self.inputs if isinstance(one, str)]

    def only_texts(self, provider: str) -> list[str]:
        """The inputs, where the provider embeds nothing but text.

        Raises:
            Untranslatable: there is an image among them.
        """
        if len(self.texts) < len(self.inputs):
            raise Untranslatable(f"{provider} embeds no images.", param="images")
        return self.texts

    def only_floats(self) -> None:
        """Hold the request to vectors that can be made of floats.

        Raises:
            Untranslatable: others are wanted.
        """
        strange = [one for one in self.formats if one not in ("float", "base64")]
        if strange:
            raise Untranslatable(f"The provider has no {strange[0]} vectors.", param="embedding_types")


class Vectors(Struct, frozen=True, kw_only=True):
    """The answer: vectors in the order of the inputs."""

    model: str
    floats: tuple[list[float], ...] = ()
    others: dict[str, list[Any]] = {}  # those of other formats, by format, in the same order
    usage: Usage | None = None
    id: str = ""


class Rank(Struct, frozen=True, kw_only=True):
    """A request for the order of documents by how well they answer a query."""

    model: str
    query: str
    documents: tuple[str, ...]
    top: int | None = None
    max_tokens_each: int | None = None
    echo: bool = False  # the documents are wanted in the answer
    extra: dict[str, Any] = {}

    @property
    def texts(self) -> list[str]:
        """What the model reads: the query beside each document."""
        return [self.query, *self.documents]


class Place(Struct, frozen=True):
    """One document's place: its index in the request, and its score."""

    index: int
    score: float


class Ranking(Struct, frozen=True, kw_only=True):
    """The answer, the best first."""

    model: str
    places: tuple[Place, ...]
    usage: Usage | None = None
    searches: int | None = None  # what Cohere bills
    id: str = ""


class About(Struct, frozen=True):
    """What an answer is written with beside what it says."""

    request_id: str
    usage: Usage  # the provider's, or as it was counted


R = TypeVar("R")
A = TypeVar("A")


class Task(Struct, Generic[R, A], frozen=True, kw_only=True):
    """A wire format."""

    name: str
    errors: str  # the dialect that its errors are told in
    read_request: Callable[[bytes, Path], R]  # raises Unreadable
    # What it cannot carry goes to ``Losses``; raises Untranslatable for what cannot be left out.
    write_request: Callable[[R, Target, Losses], Outgoing]
    read_answer: Callable[[bytes, R, Target], A]  # raises Unreadable
    write_answer: Callable[[A, R, About], bytes]


# What a request may say and a provider not understand; ``tokens`` cannot be left out.
_OPTIONAL = ("purpose", "truncate", "title", "max_tokens_each")


def drop_unsaid(asked: Embed | Rank, losses: Losses, *can: str) -> None:
    """Tell of the fields that a provider has no word for.

    :param can: those of the canonical form that it has one for.

    Raises:
        Untranslatable: the inputs are tokens, which mean something to one model only.
    """
    if isinstance(asked, Embed) and asked.tokens and "tokens" not in can:
        raise Untranslatable("The provider embeds texts, not tokens: send input as strings.", param="input")
    for name in asked.extra:
        losses.drop(name, "a field of its own dialect")
    for name in _OPTIONAL:
        if getattr(asked, name, None) and name not in can:
            losses.drop(name, "the provider has no such field")
