"""``dragoman audit``."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, Visit, place_options, visit
from dragoman.cli.erasure import erase, hold, holds, release
from dragoman.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dragoman.audit.search import Found, Wanted

SHOWN = 100


@click.group(no_args_is_help=True, short_help="Verify, search and export the audit log; erase people.")
def audit() -> None:
    """Verify, search and export the audit log; erase people.

    The log shows when it was changed: each record's hash covers the one before it, and segments are signed. Keep a copy
    of the heads elsewhere (audit.copy_heads_to) to see as well when its end was cut off.

    \b
      dragoman audit verify
      dragoman audit search --key key_1a2b --decision refused --since 24h
      dragoman audit show req_0123 --content --reason "ticket 4711"
      dragoman audit prove req_0123 > proof.json
      dragoman audit check-proof proof.json --public-key 1f2e...
      dragoman audit export november.jsonl --since 2026-11-01 --until 2026-12-01
      dragoman audit erase --tenant acme --end-user eve
    """


for command in (erase, hold, holds, release):
    audit.add_command(command)


@audit.command()
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--public-key", default="", metavar="HEX", help="Whose signature counts; default: the data directory's key."
)
@click.option("--copies", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Heads kept elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@place_options
def verify(directory: Path | None, public_key: str, copies: Path | None, as_json: bool, **place: Any) -> None:  # noqa: FBT001
    """Verify the whole log, or the copy of one in DIRECTORY. Exits with 1 where anything is wrong."""
    from dragoman.audit.check import check_log

    key = _key(public_key) if public_key else None
    if directory is None or key is None:
        with visit(msgspec.convert(place, Place)) as visited:
            directory = directory or _directory(visited)
            key = key or _public_key(visited)
    try:
        checked = check_log(directory, key, copies)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    report = checked.report
    figures = {
        "chains": report.chains,
        "segments": report.segments,
        "records": report.records,
        "taken_out": len(report.taken_out),
        "unsigned": report.unsigned,
        "lost": checked.lost,
        "faults": [fault._asdict() for fault in checked.faults],
    }
    click.echo(msgspec.json.format(msgspec.json.encode(figures)) if as_json else _told(figures))
    if checked.faults:
        raise click.exceptions.Exit(1)


def _told(figures: dict[str, Any]) -> str:
    lines = [f"{fault['place']}: {fault['what']}" for fault in figures["faults"]]
    of = f"{figures['records']:,} records in {figures['segments']:,} segments of {figures['chains']:,} chains"
    rest = [f"{figures[name]:,} {words}" for name, words in _WORDS.items() if figures[name]]
    lines.append(", ".join([of, *rest]))
    lines.append(f"{len(figures['faults'])} faults" if figures["faults"] else "The log is as it was written.")
    return "\n".join(lines)


_WORDS = {
    "taken_out": "taken out, on record",
    "unsigned": "not signed yet",
    "lost": "lost, as the log says itself",
}


def _search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, words in (
        ("--until", "Likewise; that moment is not included."),
        ("--since", "A period (24h), a date or a time."),
    ):
        command = click.option(name, default="", metavar="WHEN", help=words)(command)
    command = click.option("--decision", type=click.Choice(["allowed", "refused", "failed"]))(command)
    command = click.option("--end-user", default="", help="With --tenant: one person, whom the log has no name of.")(
        command
    )
    command = click.option("--tenant", default="", help="The organisation, else the team, else the key's id.")(command)
    for name in ("code", "model", "alias", "app", "user", "team", "organisation", "actor", "key_id", "kind"):
        option = "--key" if name == "key_id" else f"--{name}"
        command = click.option(option, name, default="")(command)
    return command


@audit.command()
@_search_options
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="The records as they are, one a line.")
@place_options
def search(limit: int, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Find records, the newest first. A kind stands for those below it: key for key.create and key.revoke."""
    from dragoman.audit.search import search as find

    with visit(_place(given)) as visited:
        found = list(itertools.islice(find(_directory(visited), _wanted(visited, given)), limit))
    if as_json:
        for one in found:
            click.echo(one.line.decode())
    else:
        header = ("time", "kind", "id", "who", "decision", "status", "model", "cost")
        click.echo(align(header, [_row(one) for one in found]) if found else "no such record")


def _row(one: Found) -> tuple[str, ...]:
    record = one.record
    cost = "" if record.cost_nanousd is None else f"${record.cost_nanousd / 1e9:.6f}"
    status = str(record.status or "")
    decision = f"{record.decision} ({record.rule})" if record.rule else record.decision
    who = record.key_id or record.actor
    return _moment(record.at_ms), record.kind, record.id, who, decision, status, record.model, cost


@audit.command()
@click.argument("request_id")
@click.option("--content", is_flag=True, help="Show the prompt and the answer as well; that is recorded.")
@click.option("--reason", default="", help="Why the content is read; needed for --content.")
@click.option("--tenant", default="", help="Of the person whose content it is, where the log names no key.")
@click.option("--end-user", default="", help="The person, where the request named one.")
@place_options
def show(request_id: str, content: bool, reason: str, tenant: str, end_user: str, **place: Any) -> None:  # noqa: FBT001
    """Show all records of a request."""
    if content and not reason:
        raise click.UsageError("--content needs a --reason: it is recorded who reads what others said, and why")
    with visit(msgspec.convert(place, Place)) as visited:
        found = _of_request(visited, request_id)
        for one in found:
            click.echo(msgspec.json.format(one.line).decode())
        if content:
            _show_content(visited, found[0], (tenant, end_user), reason)


def _show_content(visited: Visit, one: Found, whose: tuple[str, str], reason: str) -> None:
    from dragoman.audit.content import Contents
    from dragoman.audit.signing import SEALING, load_key
    from dragoman.audit.subjects import Subjects

    record, directory = one.record, visited.store.directory
    tenant = whose[0] or record.organisation or record.team or record.key_id
    if record.subject and not whose[1]:
        raise click.UsageError("the request is of an end user: say which, by --end-user; the log has no name of them")
    on_record(visited, "content.read", request=record.id, tenant=tenant, subject=record.subject, reason=reason)
    subjects = Subjects(directory, load_key(directory, os.environ, SEALING))
    contents = Contents(visited.store.engine)
    subject = subjects.find(tenant, whose[1] or record.key_id)
    for part in ("prompt", "answer"):
        kept = None if subject is None else contents.find(subject, record.id, part)
        click.echo(f"\n--- {part}")
        click.echo("not kept, over, erased or another person's" if kept is None else kept)
    contents.close()
    subjects.close()


@audit.command()
@click.argument("request_id")
@place_options
def prove(request_id: str, **place: Any) -> None:
    """Print a proof that the last record of a request is in the log, which holds without the log."""
    from dragoman.core import audit_prove

    with visit(msgspec.convert(place, Place)) as visited:
        found = _of_request(visited, request_id)[0]
        proof = audit_prove(_directory(visited), found.writer, found.seq)
        if proof is None:
            raise click.ClickException("the record's segment is not signed yet; ask again in a minute")
        fields = {
            name: getattr(proof, name) for name in ("writer", "seq", "before", "hash", "index", "size", "path", "head")
        }
        document = {"public_key": _public_key(visited).hex(), **fields, "record": found.line.decode()}
    click.echo(msgspec.json.format(msgspec.json.encode(document)))


@audit.command(name="check-proof")
@click.argument("file", type=click.File("rb"))
@click.option("--public-key", required=True, metavar="HEX", help="Whose log it is said to be of.")
def check_proof(file: Any, public_key: str) -> None:
    """Check a proof. Exits with 1 where it proves nothing."""
    from dragoman.core import AuditProof

    try:
        fields = msgspec.json.decode(file.read(), type=dict[str, Any])
        fields.pop("public_key", None)
        proof = AuditProof(**fields | {"record": str(fields["record"]).encode()})
    except (msgspec.DecodeError, KeyError, TypeError, OverflowError) as error:
        raise click.ClickException(f"this is no proof: {error}") from error
    if not proof.holds(_key(public_key)):
        raise click.ClickException("this proves nothing: the record, its place or the signature is not right")
    click.echo(f"The record is number {proof.seq} of the chain {proof.writer}:\n{fields['record']}")


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_search_options
@place_options
def export(file: Path, **given: Any) -> None:
    """Write records to FILE, one a line with its place and proof, and what the file is to FILE.manifest.json."""
    from dragoman.audit.search import search as find

    with visit(_place(given)) as visited:
        asked = {name: str(value) for name, value in given.items() if value}
        on_record(visited, "audit_log.export", file=str(file), asked=asked)
        directory, wanted = _directory(visited), _wanted(visited, given)
        digest, count = hashlib.sha256(), 0
        with open(file, "wb") as out:
            for line in _exported(directory, find(directory, wanted)):
                out.write(line)
                digest.update(line)
                count += 1
        manifest = {
            "file": file.name,
            "records": count,
            "sha256": digest.hexdigest(),
            "public_key": _public_key(visited).hex(),
            "exported_at": _moment(time.time_ns() // 1_000_000),
        }
    file.with_name(file.name + ".manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    click.echo(f"{count:,} records are in {file}")


def _exported(directory: Path, found: Iterator[Found]) -> Iterator[bytes]:
    from dragoman.core import audit_prove

    for one in found:
        proof = audit_prove(directory, one.writer, one.seq)
        told: dict[str, Any] = {"writer": one.writer, "seq": one.seq, "record": msgspec.Raw(one.line)}
        if proof is not None:
            names = ("before", "hash", "index", "size", "path", "head")
            told["proof"] = {name: getattr(proof, name) for name in names}
        yield msgspec.json.encode(told) + b"\n"


@audit.command()
@place_options
def key(**place: Any) -> None:
    """Print the public key that the log is signed with. Give it to whoever is to verify."""
    with visit(msgspec.convert(place, Place)) as visited:
        click.echo(_public_key(visited).hex())


def _directory(visited: Visit) -> Path:
    from dragoman.audit.trail import log_directory

    directory = log_directory(visited.config.audit, visited.store.directory)
    if not directory.is_dir():
        raise click.ClickException(f"there is no audit log at {directory}")
    return directory


def _public_key(visited: Visit) -> bytes:
    from dragoman.audit.signing import SIGNING, load_key
    from dragoman.core import audit_public_key

    return audit_public_key(load_key(visited.store.directory, os.environ, SIGNING))


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter("is not hexadecimal", param_hint="--public-key") from None


def _of_request(visited: Visit, request_id: str) -> list[Found]:
    from dragoman.audit.search import Wanted
    from dragoman.audit.search import search as find

    found = list(find(_directory(visited), Wanted(fields={"id": request_id})))
    if not found:
        raise click.ClickException(f"there is no record of {request_id!r}")
    return found


def _place(given: dict[str, Any]) -> Place:
    return Place(given.pop("config_path"), given.pop("data_dir"), given.pop("store_url"))


def _wanted(visited: Visit, given: dict[str, Any]) -> Wanted:
    from dragoman.audit.search import FIELDS, Wanted

    fields = {name: given[name] for name in FIELDS if given.get(name)}
    if given["end_user"]:
        fields["subject"] = _pseudonym(visited, given["tenant"], given["end_user"])
    now_ms = time.time_ns() // 1_000_000
    return Wanted(
        fields=fields,
        since_ms=_moment_ms(given["since"], "--since", now_ms),
        until_ms=_moment_ms(given["until"], "--until", now_ms),
        decision=given["decision"] or "",
    )


def _pseudonym(visited: Visit, tenant: str, name: str) -> str:
    from dragoman.audit.signing import SEALING, load_key
    from dragoman.audit.subjects import Subjects

    directory = visited.store.directory
    subjects = Subjects(directory, load_key(directory, os.environ, SEALING))
    subject = subjects.find(tenant, name)
    subjects.close()
    if subject is None:
        raise click.ClickException(f"there is no end user {name!r} of {tenant or 'no tenant'!r}, or they were erased")
    return subject.pseudonym


def _moment_ms(text: str, option: str, now_ms: int) -> int | None:
    from dragoman.usage.report import parse_moment_ms

    try:
        return parse_moment_ms(text, now_ms) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
