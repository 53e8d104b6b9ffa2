"""What several servers share as types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from dragoman.config.part import Part


class Redis(Part, frozen=True, kw_only=True):
    """A Redis or Valkey server, 6.2 or newer, where limits are counted for several processes and servers.

    A single one, or one with replicas that take over; with maxmemory-policy noeviction.
    """

    url: Annotated[str, "redis://[user:password@]host:port[/db], rediss:// for TLS; better as ${VAR}"]
    prefix: Annotated[str, "what all keys begin with; the same for all servers of one database"] = "dragoman"
    timeout_s: Annotated[float, Meta(ge=0.001, le=10), "an answer that takes longer is not waited for"] = 0.05
