"""One call under way that several requests have asked for.

The first of them leads: it asks, and what its client gets is recorded. The others follow, each at its own pace, from
the beginning of the answer. It goes on when the leader's client is gone, and ends when nobody is left.
"""

from __future__ import annotations

from copy import copy
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import Recording
from dragoman.dialects.reports import report_of
from dragoman.errors import ClientGone, DeadlineExceeded, RequestError, UpstreamCut
from dragoman.routing.translation import last_words

if TYPE_CHECKING:
    from dragoman.cache.kept import Kept
    from dragoman.routing.call import Call
    from dragoman.routing.run import Run

TOO_LARGE = "The answer grew too large to be shared."


class Flight:
    """The call."""

    def __init__(self, run: Run, max_bytes: int) -> None:
        """:param max_bytes: of the answer, as far as it is recorded for this alone."""
        self.run = run
        self.recording = run.request.recording or Recording(max_bytes)
        self.error: RequestError | None = None
        self.kept: Kept | None = None

    def lead(self) -> None:
        """Record what the leader's client gets."""
        self.run.request.record(self.recording)

    @property
    def is_open(self) -> bool:
        """Whether one more may follow: not where the call is about to end since nobody waits for it, and not where the
        answer has grown too large."""
        return not (self.run.request.is_abandoned or self.recording.dropped)

    def leave(self) -> None:
        """A follower is gone, or has it all."""
        if self.recording.leave() == 0 and self.run.request.gone:
            self.run.request.give_up()


class Follower:
    """One request that has asked for the same."""

    def __init__(self, flight: Flight, call: Call, run: Run) -> None:
        self.flight = flight
        self.call = call
        self.run = run
        self.begun = False

    def cancel(self) -> None:
        """The client is gone, or the process is stopping: look at once."""
        self.flight.recording.stir()

    async def follow(self) -> bool:
        """Give the client the answer. False: it cannot be had here, and has to be asked for.

        Raises:
            RequestError: there is none. The client has been told already where it had begun.
        """
        if not self.flight.is_open or not self.flight.recording.join():
            return False
        request = self.run.request
        request.followed.append(self)
        request.stage = "sending"
        try:
            return await self._read()
        finally:
            request.followed.remove(self)
            self.flight.leave()

    async def _read(self) -> bool:
        recording, request = self.flight.recording, self.run.request
        position = 0
        while (piece := await recording.after(position)) is not None:
            self._check_wanted()
            position += len(piece)
            if self.call.stream and piece and not self._send(piece):
                raise ClientGone("the client hung up")
        request.check_wanted()
        if self.flight.error is not None:
            return self._failed(self.flight.error)
        if recording.dropped or self.flight.kept is None:
            return self._failed(UpstreamCut(TOO_LARGE))
        self.run.kept = self.flight.kept
        return True

    def _check_wanted(self) -> None:
        self.run.request.check_wanted()
        if monotonic() > self.call.deadline_s:
            raise DeadlineExceeded("The request's deadline has passed.")

    def _send(self, piece: bytes) -> bool:
        reply = self.run.request.reply
        if not self.begun:
            self.begun = True
            self.run.deployment = self.flight.run.deployment
            self.run.lossy = self.flight.run.lossy
            content_type = self.flight.recording.content_type or ""
            reply.start_stream([("content-type", content_type), *self.run.answer_headers(0), *self.run.times()])
        return reply.send(piece)

    def _failed(self, error: RequestError) -> bool:
        """What becomes of a follower whose leader has failed: the same, where the answer had begun."""
        if not self.begun:
            return False
        own = copy(error)
        if error is not self.flight.error:
            self.run.request.reply.send(last_words(self.call, self.run, report_of(own)))
        self.run.request.reply.finish()
        self.run.request.stage = "answered"
        raise own
