"""A token that stands for its sender, as OAuth has it."""

from __future__ import annotations

from msgspec import Struct

from dragoman.identity.rotating import Rotating


class Bearer(Struct, frozen=True):
    """Sends the token with every request."""

    secret: Rotating[str]

    def headers(self, method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        """The header that holds it."""
        token = self.secret.current()
        return [] if token is None else [("authorization", f"Bearer {token}")]
