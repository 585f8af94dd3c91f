"""``gatekit approvals``: calls that wait for somebody's yes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, minute, moment, plain, print_facts, print_json, print_table

if TYPE_CHECKING:
    from gatekit.admin.approvals import Approvals, ApprovalView
    from gatekit.model.approvals import Approval


def _desk(workspace: Workspace, office: Office) -> Approvals:
    from gatekit.admin.approvals import Approvals
    from gatekit.model.approvals import ARGUMENTS
    from gatekit.platform.vault import Vault, load_master_key

    def opened(sealed: str) -> str:
        return Vault(load_master_key(workspace.data_dir)).open(sealed, ARGUMENTS)

    return office.of(partial(Approvals, opened=opened))


@click.group()
@placed
def approvals() -> None:
    """Calls that wait for somebody's yes.

    \b
    Example:
      gatekit approvals list
    """


@approvals.command("list")
@click.option("--all", "every", is_flag=True, help="Also what is decided or over.")
@as_json
@located
def list_(workspace: Workspace, /, every: bool, as_json: bool) -> None:
    """List calls that wait, the newest first.

    \b
    Example:
      gatekit approvals list --all
    """

    async def work(office: Office) -> list[Approval]:
        return list(await _desk(workspace, office).list(office.actor, waiting=not every))

    found = workspace.read(work)
    if as_json:
        print_json([_facts(one) for one in found])
        return
    print_table(
        ("ID", "PERSON", "CLIENT", "SERVER", "NAME", "RULE", "STATE", "ASKED (UTC)", "DECIDED BY"),
        [
            (
                one.id,
                one.principal,
                one.client or one.client_id,
                one.server,
                one.name or one.method,
                one.rule,
                _state(one),
                minute(one.asked_at),
                one.decided_by,
            )
            for one in found
        ],
        "nothing was asked yet" if every else "nothing waits",
    )


@approvals.command()
@click.argument("approval_id", metavar="ID")
@as_json
@located
def show(workspace: Workspace, /, approval_id: str, as_json: bool) -> None:
    """Show what waits, with its arguments.

    \b
    Example:
      gatekit approvals show apr_1CkQ3…
    """

    async def work(office: Office) -> ApprovalView:
        return await _desk(workspace, office).show(office.actor, approval_id)

    view = workspace.read(work)
    one = view.approval
    if as_json:
        print_json({**_facts(one), "arguments": view.arguments or None, "cut": view.cut})
        return
    print_facts(
        {
            "id": one.id,
            "state": _state(one),
            "person": one.principal,
            "client": one.client or one.client_id,
            "server": one.server,
            "what": f"{one.method} {one.name}".strip(),
            "rule": one.rule,
            "reason": one.reason,
            "asked": f"{minute(one.asked_at)} UTC",
            "waits until": f"{minute(one.expires_at)} UTC",
            "decided by": one.decided_by,
        }
    )
    click.echo(f"arguments: {plain(view.arguments) or 'not shown'}{' … (more than is shown)' * view.cut}")


@approvals.command()
@click.argument("approval_id", metavar="ID")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    default=0,
    help="Also for such calls later: same person, client, server and tool. At most 24h.",
)
@click.option("--any-arguments", is_flag=True, help="With --for: whatever their arguments are.")
@located
def allow(workspace: Workspace, /, approval_id: str, seconds: int, any_arguments: bool) -> None:
    """Let a call go on.

    \b
    Example:
      gatekit approvals allow apr_1CkQ3… --for 1h
    """

    async def work(office: Office) -> Approval:
        return await _desk(workspace, office).allow(
            office.actor, approval_id, seconds=seconds, whatever=any_arguments
        )

    one = workspace.change(work)
    click.echo(f"{one.id} is allowed: {_what(one)}")
    if one.until:
        which = "whatever the arguments" if one.whatever else "with the same arguments"
        click.echo(f"such calls go on until {minute(one.until)} UTC, {which}")


@approvals.command()
@click.argument("approval_id", metavar="ID")
@located
def deny(workspace: Workspace, /, approval_id: str) -> None:
    """Refuse a call.

    \b
    Example:
      gatekit approvals deny apr_1CkQ3…
    """

    async def work(office: Office) -> Approval:
        return await _desk(workspace, office).deny(office.actor, approval_id)

    one = workspace.change(work)
    click.echo(f"{one.id} is refused: {_what(one)}")


@approvals.command()
@click.argument("approval_id", metavar="ID")
@located
def end(workspace: Workspace, /, approval_id: str) -> None:
    """Take back what was allowed for a while.

    \b
    Example:
      gatekit approvals end apr_1CkQ3…
    """

    async def work(office: Office) -> Approval:
        return await _desk(workspace, office).end(office.actor, approval_id)

    one = workspace.change(work)
    click.echo(f"{one.id} allows nothing any more: {_what(one)}")


def _what(one: Approval) -> str:
    return plain(f"{one.principal}, {one.server} {one.name or one.method}")


def _state(one: Approval) -> str:
    return f"allowed until {minute(one.until)}" if one.state == "allowed" and one.until else one.state


def _facts(one: Approval) -> dict[str, object]:
    return {
        "id": one.id,
        "state": one.state,
        "person": one.principal,
        "client_id": one.client_id,
        "client": one.client,
        "server": one.server,
        "method": one.method,
        "name": one.name,
        "rule": one.rule,
        "reason": one.reason,
        "digest": one.digest,
        "asked_at": moment(one.asked_at),
        "expires_at": moment(one.expires_at),
        "decided_at": moment(one.decided_at),
        "decided_by": one.decided_by or None,
        "until": moment(one.until or None),
        "any_arguments": bool(one.whatever),
        "went_on_at": moment(one.taken_at),
    }
