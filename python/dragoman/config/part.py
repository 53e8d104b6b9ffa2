"""What every mapping of the file is."""

from __future__ import annotations

from msgspec import Struct

SECRET = frozenset(
    {"key", "api_key", "secret", "headers", "proxy", "secret_access_key", "session_token", "client_secret"}
)
"""Fields that may hold a secret."""


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping of the file. Its ``repr`` leaves secrets out: it may end up in a log."""

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(name: str, value: object) -> str:
    return "..." if name in SECRET and value else repr(value)
