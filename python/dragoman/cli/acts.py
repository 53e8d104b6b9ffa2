"""An operator's act, on record before it is done: what cannot be recorded is not done."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dragoman.cli.database import Visit

PATIENCE_S = 30.0


def on_record(visit: Visit, kind: str, **detail: Any) -> None:
    """Record an act of whoever has called the command.

    Raises:
        StoreError: the audit log cannot be written.
        click.ClickException: the record cannot be made durable.
    """
    from dragoman.audit.record import AuditRecord
    from dragoman.audit.signing import SIGNING, load_key
    from dragoman.audit.trail import Trail, now_ms

    directory = visit.store.directory
    trail = Trail(visit.config.audit, directory, load_key(directory, os.environ, SIGNING))
    told: list[bool] = []
    durable = threading.Event()

    def wake(well: bool) -> None:  # noqa: FBT001 - as it is called
        told.append(well)
        durable.set()

    record = AuditRecord(kind=kind, at_ms=now_ms(), actor=actor(), address=socket.gethostname(), detail=detail)
    trail.put_durably(record, wake)
    durable.wait(PATIENCE_S)
    trail.close()
    if told != [True]:
        raise click.ClickException(f"the audit log {trail.directory} cannot be written, so nothing is done")


def actor() -> str:
    """Who calls, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
