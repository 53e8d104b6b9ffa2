"""How a session at a provider is opened: where it was asked for and nowhere else, with a server that is the right one.

Imported where a session is opened, and not before: :mod:`websockets` takes its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect

from dragoman.config.pins import write_pin
from dragoman.core import pin_of

if TYPE_CHECKING:
    from collections.abc import Collection


class Straight(connect):
    """Opens a session. A provider that sends elsewhere has answered no: our credential goes to no other place."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Follow none."""
        return exc


class NotPinned(Exception):
    """The server's key is none of those that are pinned."""


class PinnedConnection(ClientConnection):
    """A connection that looks at the server's key before it sends the request, and so our credential."""

    def __init__(self, *arguments: Any, pins: Collection[bytes], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pins = pins

    async def handshake(self, *arguments: Any, **options: Any) -> None:
        """Open the session, unless the server's key is another.

        Raises:
            NotPinned: it is.
        """
        tls = self.transport.get_extra_info("ssl_object")
        if tls is None:
            raise NotPinned("keys are pinned, and there is no TLS")
        presented = pin_of(tls.getpeercert(binary_form=True))
        if presented not in self._pins:
            raise NotPinned(f"the server's key is not pinned: it is {write_pin(presented)}")
        await super().handshake(*arguments, **options)
