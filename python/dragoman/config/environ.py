"""``${VAR}``, ``${VAR:-default}`` and ``${file:/path}`` in strings; ``$${`` is a plain ``${``.

One pass: what is put in is never looked at again, so a secret that happens to contain ``${`` stays itself and a
variable cannot pull in a file. As in a shell, ``:-`` also replaces an empty value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

MAX_FILE_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SubstitutionError(ValueError):
    """A reference that cannot be replaced; the text names it and never a value."""


class Substitution:
    """Replaces references; a relative ``file:`` path starts at ``folder``."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def __call__(self, text: str) -> str:
        """The text with every reference replaced."""
        return _REFERENCE.sub(self._value, text) if "${" in text else text

    def _value(self, found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        body, close = found[1], found[2]
        if not close:
            raise SubstitutionError('"${" without its "}"; write "$${" for a plain one')
        if body.startswith("file:"):
            return self._file(body.removeprefix("file:"))
        name, has_default, default = body.partition(":-")
        if not _NAME.fullmatch(name):
            raise SubstitutionError(f"{found[0]} is not ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}")
        value = self._environ.get(name)
        if has_default:
            return value or default
        if value is None:
            raise SubstitutionError(f"the environment variable {name} is not set (or write ${{{name}:-default}})")
        return value

    def _file(self, name: str) -> str:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else "not a path"
            raise SubstitutionError(f"the file {path} cannot be read: {reason}") from None
        if len(content) > MAX_FILE_BYTES:
            raise SubstitutionError(f"the file {path} is over {MAX_FILE_BYTES} bytes")
        try:
            return content.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise SubstitutionError(f"the file {path} is not UTF-8 text") from None
