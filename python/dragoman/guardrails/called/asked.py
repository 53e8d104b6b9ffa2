"""What others are asked, how, and what their answers mean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from msgspec import Struct

from dragoman.driver import OnLoop
from dragoman.identity.rotating import Unavailable
from dragoman.routing.elsewhere import post

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dragoman.config.guards import AppliesTo, OnStream, Place
    from dragoman.core import Target
    from dragoman.guardrails.verdict import Finding, Passage, Verdict
    from dragoman.identity.signer import Signer

T = TypeVar("T")

# What is shown of another's reason.
MOST_REASON_CHARS = 200


class CannotLook(Exception):
    """Nothing has come of it: the service is down, slow, or says what nobody understands."""


class Asking(Struct, frozen=True, kw_only=True):
    """For whom somebody is asked, and how models are."""

    guardrail: str
    request_id: str
    key: str
    team: str
    model: str
    is_answer: bool
    judge: Callable[[str, bytes, float], Awaitable[str | None]]  # a chat request's answer


class Parcel(Struct, frozen=True):
    """One request."""

    path: str
    body: bytes
    headers: list[tuple[str, str]] = []


class Form(Protocol):
    """How a service is asked over HTTP."""

    def ask(self, passages: list[Passage], asking: Asking) -> Parcel:
        """What it is sent."""

    def read(self, body: bytes) -> Finding | None:
        """What it says.

        Raises:
            CannotLook: nobody understands it.
        """


class Service(Protocol):
    """Somebody who is asked."""

    async def look(self, passages: list[Passage], asking: Asking, timeout_s: float) -> Finding | None:
        """What somebody finds.

        Raises:
            CannotLook: nothing has come of it.
        """


class Http:
    """A service that is asked over HTTP."""

    def __init__(self, form: Form, target: Target, signer: Signer | None = None) -> None:
        self.form = form
        self._target = target
        self._signer = signer

    async def look(self, passages: list[Passage], asking: Asking, timeout_s: float) -> Finding | None:
        """Ask it."""
        parcel = self.form.ask(passages, asking)
        headers = [("content-type", "application/json"), *parcel.headers]
        if self._signer is not None:
            await self._have_secret(self._signer, timeout_s)
            headers += self._signer.headers("POST", self._target.base_url + parcel.path, parcel.body)
        outcome = await post(self._target, parcel.path, parcel.body, headers, timeout_s)
        if outcome.failure:
            raise CannotLook(f"it did not answer ({outcome.failure.replace('_', ' ')})")
        return self.form.read(outcome.body)

    async def _have_secret(self, signer: Signer, timeout_s: float) -> None:
        if signer.secret.current() is not None:
            return
        try:
            await OnLoop(_fetched(signer, timeout_s))
        except (Unavailable, TimeoutError) as error:
            reason = str(error) or "its credentials were not there in time"
            raise CannotLook(f"it cannot be asked: {reason}") from None


async def _fetched(signer: Signer, seconds: float) -> None:
    await asyncio.wait_for(asyncio.to_thread(signer.secret.wait), seconds)


class CalledGuard(Struct, frozen=True, kw_only=True):
    """One guardrail, ready for use."""

    name: str
    places: frozenset[Place]
    applies_to: AppliesTo
    service: Service
    blocks: bool
    shadow: bool
    closed: bool
    timeout_s: float
    parallel: bool  # the model is asked meanwhile
    on_stream: OnStream  # how it is shown answers that are streamed
    allows: Verdict

    def at(self, passages: list[Passage]) -> list[Passage]:
        """Those of the passages that it is for."""
        return [passage for passage in passages if passage.place in self.places]


def read_as(wanted: type[T], body: bytes) -> T:
    """Another's answer.

    Raises:
        CannotLook: it is no such thing.
    """
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.DecodeError as error:
        raise CannotLook(f"its answer is not understood: {error}") from None


def shown(reason: object) -> str:
    """Another's reason, as a client may see it."""
    text = "".join(letter for letter in str(reason) if letter.isprintable())
    return text[:MOST_REASON_CHARS]
