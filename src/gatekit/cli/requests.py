"""``gatekit requests``: people ask for what they may not use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, minute, moment, plain, print_json, print_table

if TYPE_CHECKING:
    from gatekit.admin.requests import Requests
    from gatekit.model.requests import AccessRequest


def _desk(workspace: Workspace, office: Office) -> Requests:
    from gatekit.admin.requests import Requests
    from gatekit.admin.rules import Rules

    found = workspace.config
    names = [entry.server.name for entry in found.servers if entry.requestable] if found is not None else []
    return office.of(partial(Requests, rules=office.of(Rules), requestable=lambda: names))


@click.group()
@placed
def requests() -> None:
    """People ask for servers that they may not use.

    \b
    Example:
      gatekit requests list
    """


@requests.command("list")
@click.option("--all", "every", is_flag=True, help="Also what is decided.")
@as_json
@located
def list_(workspace: Workspace, /, every: bool, as_json: bool) -> None:
    """List requests that wait, the newest first.

    \b
    Example:
      gatekit requests list --all
    """

    async def work(office: Office) -> list[AccessRequest]:
        return list(await _desk(workspace, office).list(office.actor, waiting=not every))

    found = workspace.read(work)
    if as_json:
        print_json([_facts(one) for one in found])
        return
    print_table(
        ("ID", "PERSON", "SERVER", "TOOL", "FOR (H)", "REASON", "STATE", "ASKED (UTC)", "DECIDED BY"),
        [
            (
                one.id,
                one.principal,
                one.server,
                one.tool or "all",
                f"{one.seconds / 3600:g}",
                one.reason,
                one.state,
                minute(one.asked_at),
                one.decided_by,
            )
            for one in found
        ],
        "nothing was asked for yet" if every else "nothing waits",
    )


@requests.command()
@click.argument("request_id", metavar="ID")
@click.option("--for", "seconds", type=Duration(), default=0, help="Not as long as they asked, but so long.")
@located
def grant(workspace: Workspace, /, request_id: str, seconds: int) -> None:
    """Let the person in for a while; this makes a rule that ends by itself.

    \b
    Example:
      gatekit requests grant req_1CkQ3… --for 8h
    """

    async def work(office: Office) -> AccessRequest:
        return await _desk(workspace, office).grant(office.actor, request_id, seconds=seconds)

    one = workspace.change(work)
    what = plain(f"{one.server}{f' ({one.tool})' if one.tool else ''}")
    click.echo(f"{one.principal} may use {what} until {minute(one.expires_at)} UTC: the rule {one.rule}")


@requests.command()
@click.argument("request_id", metavar="ID")
@located
def refuse(workspace: Workspace, /, request_id: str) -> None:
    """Do not let the person in.

    \b
    Example:
      gatekit requests refuse req_1CkQ3…
    """

    async def work(office: Office) -> AccessRequest:
        return await _desk(workspace, office).refuse(office.actor, request_id)

    one = workspace.change(work)
    click.echo(f"{one.id} is refused: {one.principal} may not use {one.server}")


def _facts(one: AccessRequest) -> dict[str, object]:
    return {
        "id": one.id,
        "state": one.state,
        "person": one.principal,
        "server": one.server,
        "tool": one.tool or None,
        "reason": one.reason,
        "seconds": one.seconds,
        "asked_at": moment(one.asked_at),
        "decided_at": moment(one.decided_at),
        "decided_by": one.decided_by or None,
        "rule": one.rule or None,
        "expires_at": moment(one.expires_at),
    }
