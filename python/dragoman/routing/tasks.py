"""An answer of vectors, or of a ranking, on its way from a provider's format into the client's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.dialects.canonical import Usage
from dragoman.dialects.dialect import Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.tasks.task import About, Embed, Task, Vectors
from dragoman.dialects.undo import Undo
from dragoman.errors import UpstreamProtocol
from dragoman.routing.translation import Translation

if TYPE_CHECKING:
    from dragoman.core import Outcome
    from dragoman.routing.reading import Reading
    from dragoman.routing.run import Run


class TaskTranslation(Translation):
    """One attempt's answer: always whole.

    :param relayed: it is of the client's own format, and passed on as it came once it has been found to be one.
    """

    def __init__(self, reading: Reading, task: Task[Any, Any], target: Target, *, relayed: bool = False) -> None:
        super().__init__(reading, DIALECTS[task.errors], target, Undo())
        self.spoken = task
        self.relayed = relayed
        self.told: Any = None

    def read_whole(self, outcome: Outcome) -> None:
        """Read the answer; ``error`` says what is wrong with one that is none."""
        asked = self.reading.asked
        try:
            self.told = self.spoken.read_answer(outcome.body, asked, self.target)
            if isinstance(asked, Embed):
                _check_count(self.told, asked)
        except Unreadable as error:
            self.error = UpstreamProtocol(f"The answer of {self.target.provider} cannot be read: {error.message}")
            return
        self.usage = self.told.usage
        self.finish_reason = "stop"
        self.raw = outcome.body if self.relayed else b""

    def write_whole(self, run: Run) -> bytes:
        """The answer as the client reads it."""
        if self.relayed:
            return self.raw
        assert self.reading.task is not None  # noqa: S101 - for the type checker
        counted = Usage(input=0 if run.counted is None else run.counted.tokens)
        about = About(run.request.id, self.usage or counted)
        return self.reading.task.write_answer(self.told, self.reading.asked, about)


def _check_count(told: Vectors, asked: Embed) -> None:
    """A vector too few or too many would be another text's."""
    counts = {len(vectors) for vectors in told.others.values()} | ({len(told.floats)} if told.floats else set())
    wanted = len(asked.inputs)
    if wanted and (not counts or counts != {wanted}):
        raise Unreadable(f"there are {', '.join(map(str, sorted(counts))) or 'no'} vectors for {wanted} inputs")
