"""``gatekit audit``: who did what, who was refused, whether the trail is whole. No logic: see ``audit/``."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import DATABASE, Workspace, located, placed
from gatekit.cli.output import plain
from gatekit.errors import GatekitError
from gatekit.platform.clock import SystemClock

if TYPE_CHECKING:
    from gatekit.audit.pseudonyms import Covers
    from gatekit.audit.query import Record
    from gatekit.cli.context import Office

_COLUMNS = (("TIME (UTC)", 15), ("WHO", 12), ("CLIENT", 12), ("SERVER", 12), ("WHAT", 20), ("RESULT", 8))
_INDENT = " " * 16
_POLL = 0.2


@click.group(short_help="Read the audit trail.")
@placed
def audit() -> None:
    """Read the audit trail: every sign-in, token, call and refusal, with names.

    \b
    Example:
      gatekit audit search --user alice --since 7d
    """


@audit.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing records as they are written.")
@click.option(
    "-n", "lines", type=click.IntRange(min=0), default=20, show_default=True, help="How many to begin with."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as stored.")
@located
def tail(workspace: Workspace, follow: bool, lines: int, as_json: bool) -> None:
    """Show the newest records.

    \b
    Example:
      gatekit audit tail -f
    """
    from gatekit.audit import query

    directory = _directory(workspace)
    try:
        records = query.tail(directory, lines, wait=(lambda: time.sleep(_POLL)) if follow else None)
        _show(records, as_json, _covers(workspace))
    except KeyboardInterrupt:
        return


@audit.command()
@click.option("--user", help="Username or id of the person.")
@click.option("--server", help="Name of the server.")
@click.option("--tool", help="Name of the tool (or prompt, or resource URI).")
@click.option("--client", help="Name or id of the OAuth client.")
@click.option(
    "--since", help="30m, 2h, 7d (ago), 2026-11-01, or an ISO 8601 time; UTC unless it says otherwise."
)
@click.option("--until", help="Like --since; exclusive.")
@click.option("--denied", is_flag=True, help="Only refusals: denied calls, refused doors, sign-ins, tokens.")
@click.option("--event", help="Kind of event: call, sign_in, consent, token, key, refused, admin …")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most this many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as stored.")
@located
def search(
    workspace: Workspace, /, since: str | None, until: str | None, as_json: bool, **wanted: Any
) -> None:
    """Find records, newest first.

    \b
    Example:
      gatekit audit search --user bob --denied --since 24h --json
    """
    from gatekit.audit import query

    now, covers = SystemClock().now(), _covers(workspace)
    wanted["user"] = covers.asked(wanted["user"])
    wanted["aliases"] = _aliases(workspace, wanted["user"])
    try:
        chosen = query.Filter(
            since=query.parse_when(since, now) if since else None,
            until=query.parse_when(until, now) if until else None,
            **wanted,
        )
    except GatekitError as error:
        raise click.UsageError(str(error)) from None
    if not _show(query.search(_directory(workspace), chosen), as_json, covers):
        click.echo("no records fit", err=True)


@audit.command()
@located
def verify(workspace: Workspace) -> None:
    """Check that no record was changed, removed or moved (exit code 1 if one was).

    \b
    Example:
      gatekit audit verify
    """
    from gatekit.audit.verify import Broken
    from gatekit.audit.verify import verify as walk

    findings = walk(_directory(workspace))
    if not findings:
        click.echo("there are no records yet")
    for finding in findings:
        if isinstance(finding, Broken):
            place = f"{finding.path}, line {finding.line}"
            click.echo(
                f"BROKEN  {finding.writer}: {place}: {finding.reason} (expected {finding.expected_seq})"
            )
        else:
            span = f"records {finding.first} to {finding.last}"
            click.echo(f"ok      {finding.writer}: {span}, newest hash {finding.hash}")
    if any(isinstance(finding, Broken) for finding in findings):
        raise click.exceptions.Exit(1)


def _directory(workspace: Workspace) -> Path:
    return workspace.data_dir / "audit"


# -- printing ----------------------------------------------------------------------------------------------


def _covers(workspace: Workspace) -> Covers:
    """Of people who are forgotten. Where there is no database nobody is."""
    from gatekit.audit.pseudonyms import Covers

    if not (workspace.data_dir / DATABASE).exists():
        return Covers((), "")
    return workspace.read(lambda office: office.people.covers(office.actor))


def _aliases(workspace: Workspace, user: str | None) -> tuple[str, ...]:
    """Ids of those whom ``user`` was merged with."""
    if user is None or not (workspace.data_dir / DATABASE).exists():
        return ()

    async def work(office: Office) -> tuple[str, ...]:
        return tuple(await office.merging.known_as(office.actor, user))

    return workspace.read(work)


def _show(records: Iterable[Record], as_json: bool, covers: Covers) -> int:
    """Print as they come; return how many."""
    count = 0
    if as_json:
        from msgspec.json import encode

        for record in records:
            shown = covers.cover(record.fields)
            click.echo(record.raw if shown == record.fields else encode(shown))
            count += 1
        return count
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for count, record in enumerate(records, start=1):
        if count == 1:
            console.print(Text(" ".join(name.ljust(width) for name, width in _COLUMNS) + " DETAIL", "bold"))
        line, detail, style = _line(record, covers.cover(record.fields))
        if console.is_terminal and len(line) + 1 + len(detail) > console.width:
            detail = f"\n{_INDENT}{detail}"
        console.print(Text(f"{line} {detail}".rstrip(), style))
    return count


def _line(record: Record, fields: dict[str, Any]) -> tuple[str, str, str]:
    """(fixed columns, detail, colour)"""
    what, result, detail = _describe(fields)
    cells = (
        datetime.fromtimestamp(record.at, UTC).strftime("%m-%d %H:%M:%S"),
        fields.get("principal") or fields.get("principal_id") or "-",
        fields.get("client") or fields.get("client_id") or "-",
        fields.get("server") or "-",
        what,
        result,
    )
    fixed = " ".join(_fit(str(cell), width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    style = "red" if record.refused else "yellow" if result in ("error", "failed") else ""
    return fixed, plain(detail), style


def _describe(fields: dict[str, Any]) -> tuple[str, str, str]:
    """(what was done, how it ended, more)"""
    event = str(fields.get("event", "?"))
    reason = " · ".join(str(fields[key]) for key in ("rule", "reason", "detail") if fields.get(key))
    if event == "call":
        denied = fields.get("decision") == "deny"
        took = "" if denied else f"{fields.get('duration_ms', 0.0):.1f} ms"
        what = str(fields.get("name") or fields.get("method", ""))
        via = f"as {fields.get('asked', '')} at {fields['via']}" if fields.get("via") else ""
        return (
            what,
            "DENY" if denied else str(fields.get("outcome", "")),
            " · ".join(filter(None, (took, via, reason))),
        )
    if event == "forward":
        denied = fields.get("decision") == "deny"
        what = f"{fields.get('method', '')} {fields.get('path', '')}"
        return what, "DENY" if denied else "ok", reason
    if event == "refused":
        return "door", str(fields.get("status", "")), reason
    verdict = next((str(fields[key]) for key in ("outcome", "decision", "action") if fields.get(key)), "")
    if event == "admin":
        return verdict, "", " ".join(filter(None, (str(fields.get("target", "")), reason)))
    more = (fields.get("connection"), fields.get("grant_type"), " ".join(fields.get("resources", ())), reason)
    return event, verdict, " · ".join(str(part) for part in more if part)


def _fit(text: str, width: int) -> str:
    text = plain(text)
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)
