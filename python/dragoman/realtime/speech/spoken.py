"""What the frames of a session say: the pieces of answers that come, which of them are whole, and what ends them.

An answer is known by its id, where the protocol has such, and its texts by slots: a part of an item, of OpenAI's, and
what a turn says, thinks or is heard to say, of Gemini's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from msgspec import Struct, field

from dragoman.realtime.texts import Said

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Json
    from dragoman.errors import RequestError

Slot = tuple[str, ...]
Path = tuple[str | int, ...]


class Piece(Struct, frozen=True):
    """Some of a text that comes bit by bit."""

    slot: Slot
    kind: Literal["text", "thought", "call"]
    path: Path  # where it stands in its frame
    text: str


class Spoken(Struct):
    """What a provider's frame says."""

    answer: str = ""  # which it is part of; empty: of none
    pieces: list[Piece] = []
    whole: tuple[Slot, ...] = ()  # the slots that are whole with it
    rest: Said = field(default_factory=Said)  # what it says beside
    heard: str = ""  # a transcript of what the client has said
    is_judged: bool = True  # whether it says anything that is not the client's own, or the protocol's
    is_aloud: bool = False  # whether it is sound or a picture
    settles: bool = False  # whether all texts of the answer are whole with it
    ends: bool = False  # whether the answer is over

    @property
    def is_alone(self) -> bool:
        """Whether nothing more belongs to it."""
        return not self.answer and not self.pieces


class Stop(Struct):
    """What is said to both where something is refused."""

    to_client: list[Json] = []
    to_provider: list[Json] = []


class Speech(ABC):
    """One session's protocol, followed frame by frame."""

    text_by: ClassVar[str]  # what a client asks for answers with that are written

    @abstractmethod
    def read(self, event: Json) -> Spoken:
        """What a frame of the provider's says."""

    @abstractmethod
    def left(self, event: Json, piece: Piece, text: str) -> Json:
        """A frame for what is left of a text, when its last piece has come.

        :param event: the frame of that piece.
        """

    @abstractmethod
    def without(self, event: Json, pieces: list[Piece]) -> Json | None:
        """A frame whose pieces are empty, without them; ``None``: there is nothing else in it."""

    @abstractmethod
    def stop(self, answer: str) -> Stop:
        """What is said where an answer is refused that goes on."""

    @abstractmethod
    def turned_away(self, event: Json) -> Stop:
        """What is said in the place of a frame of an answer that has been refused."""

    @abstractmethod
    def ended(self, event: Json, error: RequestError) -> Json:
        """What is said in the place of a frame that ends such an answer."""

    @abstractmethod
    def unheard(self, event: Json, error: RequestError) -> tuple[str, Stop]:
        """What is said where what the client was heard to say is refused, and the answer to it that goes on, if any."""

    @abstractmethod
    def error(self, error: RequestError, about: Any = None) -> Json:
        """A frame that tells of an error.

        :param about: what the client has sent, where it is about that.
        """

    @abstractmethod
    def asks_aloud(self, event: Json) -> bool:
        """Whether a client's frame has the model speak."""

    @abstractmethod
    def is_sound(self, event: Json) -> bool:
        """Whether a client's frame is one of a stream of sound or pictures."""

    def is_ours(self, event: Json) -> bool:
        """Whether a frame of the provider's answers one of the gateway's own."""
        return False


def part(raw: Any, *names: str) -> Json:
    """An object within others; empty: there is none."""
    for name in names:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def put(value: Any, path: Path, text: str) -> Any:
    """A copy of a frame with another text at a place that it has."""
    if not path:
        return text
    copied = value.copy()
    copied[path[0]] = put(value[path[0]], path[1:], text)
    return copied


def blanked(event: Json, pieces: list[Piece]) -> Json:
    """A copy of a frame whose pieces have no text."""
    for piece in pieces:
        event = put(event, piece.path, "")
    return event
