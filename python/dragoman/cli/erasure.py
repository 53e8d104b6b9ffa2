"""``dragoman audit erase``, ``hold``, ``holds`` and ``release``."""

from __future__ import annotations

import os
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, Visit, place_options, visit

if TYPE_CHECKING:
    from dragoman.audit.subjects import Subjects

_TENANT = click.option("--tenant", default="", help="The organisation, else the team, else the id of the key.")


@click.command()
@_TENANT
@click.option("--end-user", required=True, help="As requests name them.")
@place_options
def erase(tenant: str, end_user: str, **place: Any) -> None:
    """Erase an end user: what is kept of what they said cannot be read any more, in no backup either.

    Their secrets are destroyed, which are in subjects.db alone: do not put that file back from an old backup. What
    their requests cost stays on record without their name. A running server lets go of them within 5 seconds, and
    so does every other that shares the database.
    """
    from dragoman.access.secret import load_pepper
    from dragoman.audit.content import Contents
    from dragoman.audit.erase import Eraser, Person

    person = Person(tenant, end_user)
    with visit(msgspec.convert(place, Place)) as visited, closing(_subjects(visited)) as subjects:
        store = visited.store
        pepper = load_pepper(store.directory, os.environ)
        with closing(Contents(store.engine)) as contents:
            eraser = Eraser(store.engine, store.directory, subjects, contents, pepper)
            if not eraser.knows(person):
                whose = tenant or "no tenant"
                raise click.ClickException(f"there is no end user {end_user!r} of {whose!r}, or no more")
            subject = subjects.find(tenant, end_user)
            on_record(visited, "subject.erase", tenant=tenant, subject="" if subject is None else subject.pseudonym)
            done = eraser.erase(person, now_ms=time.time_ns() // 1_000_000)
    click.echo(
        f"erased: {done.contents} prompts and answers, {done.responses} stored responses, and the name in "
        f"{done.usage_rows} usage rows"
    )


@click.command()
@_TENANT
@click.option("--end-user", default="", help="Empty: all of the tenant's.")
@click.option("--reason", required=True, help="Recorded, and told to whoever wants to erase.")
@place_options
def hold(tenant: str, end_user: str, reason: str, **place: Any) -> None:
    """Place a legal hold: nothing of them is erased, and nothing is deleted because its time is over."""
    with visit(msgspec.convert(place, Place)) as visited, closing(_subjects(visited)) as subjects:
        subject = subjects.of(tenant, end_user) if end_user else None
        on_record(visited, "hold.place", tenant=tenant, subject=subject.pseudonym if subject else "", reason=reason)
        click.echo(f"{subjects.hold(tenant, end_user, reason).id} is in force")


@click.command()
@click.argument("hold_id")
@place_options
def release(hold_id: str, **place: Any) -> None:
    """Release a legal hold."""
    with visit(msgspec.convert(place, Place)) as visited, closing(_subjects(visited)) as subjects:
        if hold_id not in {one.id for one in subjects.holds()}:
            raise click.ClickException(f"no legal hold {hold_id!r} is in force; see: dragoman audit holds")
        on_record(visited, "hold.release", hold=hold_id)
        subjects.release(hold_id)
    click.echo(f"{hold_id} is released")


@click.command()
@place_options
def holds(**place: Any) -> None:
    """List the legal holds in force."""
    with visit(msgspec.convert(place, Place)) as visited, closing(_subjects(visited)) as subjects:
        found = subjects.holds()
    rows = [(one.id, one.tenant, one.subject or "all", one.reason, _day(one.placed_at_ms)) for one in found]
    click.echo(align(("id", "tenant", "end user", "reason", "since"), rows) if rows else "no legal holds")


def _subjects(visited: Visit) -> Subjects:
    from dragoman.audit.signing import SEALING, load_key
    from dragoman.audit.subjects import Subjects

    return Subjects(visited.store.directory, load_key(visited.store.directory, os.environ, SEALING))


def _day(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d")
