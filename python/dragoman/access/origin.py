"""Which pages may ask where no key is needed.

A gateway without keys serves whoever is on its machine, and so would every page that somebody on it looks at: a browser
sends any page's POST to any address, as long as it is plain text. It says whose page it was. The name that the request
was sent to is no help: the other site may have given its own name this machine's address.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from dragoman.config.check import is_loopback
from dragoman.errors import Forbidden


def refuse_other_sites(headers: dict[str, str]) -> None:
    """See that a request without a key is of no page, or one of this machine's.

    Raises:
        Forbidden: it is of another site's.
    """
    origin = headers.get("origin")
    if origin is None:
        return
    try:
        is_ours = is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        is_ours = False
    if not is_ours:
        raise Forbidden(
            f"Pages of {origin[:200]} may ask nothing without a key. Make one: dragoman keys create NAME.",
            code="origin_not_allowed",
        )
