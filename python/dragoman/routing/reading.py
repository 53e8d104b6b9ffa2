"""A client's request in canonical form, read when it is first asked for: a request that is relayed never is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dragoman.dialects.canonical import Request, Text, ToolCall, ToolResult
from dragoman.dialects.dialect import Dialect, Path
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.tasks.table import TASKS
from dragoman.dialects.tasks.task import Embed, Rank
from dragoman.errors import InvalidRequest

if TYPE_CHECKING:
    from dragoman.core import TokenCount
    from dragoman.routing.plan import Deployment

T = TypeVar("T")


class Reading:
    """The body of one request, and what its path says beside it."""

    __slots__ = ("_asked", "_complete", "_request", "_shown", "at", "dialect", "raw", "shown_raw", "task")

    def __init__(
        self,
        dialect: Dialect,
        raw: bytes,
        at: Path,
        task: str = "",
        *,
        complete: Callable[[Request], Request] = lambda request: request,
        shown_raw: bytes | None = None,
    ) -> None:
        """:param complete: adds to the request what is known of it here.
        :param shown_raw: the body that the client may be told of, where that is another.
        """
        self.shown_raw = shown_raw
        self._shown: Request | None = None
        self._complete = complete
        self.dialect = dialect
        self.raw = raw
        self.at = at
        self.task = TASKS.get(task)
        self._request: Request | None = None
        self._asked: Embed | Rank | None = None

    @property
    def request(self) -> Request:
        """The request.

        Raises:
            InvalidRequest: it is not what the dialect says; names the field.
        """
        if self._request is None:
            self._request = self._complete(self._read(self.dialect.read_request))
        return self._request

    @property
    def shown(self) -> Request:
        """The request as the client knows it: without what was put into it here."""
        if self.shown_raw is None:
            return self.request
        if self._shown is None:
            try:
                self._shown = self.dialect.read_request(self.shown_raw, self.at)
            except Unreadable:
                self._shown = self.request
        return self._shown

    @property
    def asked(self) -> Embed | Rank:
        """The request, where it asks for something else than to generate.

        Raises:
            InvalidRequest: it is not what the wire format says; names the field.
        """
        if self._asked is None:
            assert self.task is not None  # noqa: S101 - for the type checker
            self._asked = self._read(self.task.read_request)
        return self._asked

    @property
    def texts(self) -> list[str]:
        """All that the model reads as text, to be counted."""
        return texts_of(self.request) if self.task is None else self.asked.texts

    def _read(self, read: Callable[[bytes, Path], T]) -> T:
        try:
            return read(self.raw, self.at)
        except Unreadable as error:
            raise InvalidRequest(error.message, param=error.at or None) from None


def texts_of(request: Request) -> list[str]:
    """All that the model reads of a request as text, to be counted."""
    texts = [part for message in request.messages for block in message.blocks for part in _texts(block)]
    for tool in request.tools:
        texts += [tool.name, tool.description, "" if tool.parameters is None else str(tool.parameters)]
    return texts


def count_texts(
    texts: list[str], deployment: Deployment, max_fresh_bytes: int | None = None, *, are_said: bool
) -> TokenCount:
    """How many tokens they are to a deployment's model.

    :param are_said: each is a message of a chat, of which more is billed than its text.
    """
    asked = {"messages": [{"role": "user", "content": text} for text in texts]} if are_said else {"prompt": texts}
    return deployment.counter.count_request(
        msgspec.json.encode(asked),
        model=deployment.model,
        endpoint="chat" if are_said else "completions",
        max_fresh_bytes=max_fresh_bytes,
    )


def _texts(block: object) -> list[str]:
    if isinstance(block, Text):
        return [block.text]
    if isinstance(block, ToolCall):
        return [block.name, block.arguments]
    if isinstance(block, ToolResult):
        return [part.text for part in block.content if isinstance(part, Text)]
    return []
