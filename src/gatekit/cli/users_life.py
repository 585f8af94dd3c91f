"""Commands of ``gatekit users`` about one person: how they sign in, where they are, what they allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import as_json, listed, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.browser_sessions import BrowserSessionView
    from gatekit.admin.grants import GrantView
    from gatekit.model.passkeys import Passkey
    from gatekit.model.people import Identity


@click.command()
@click.argument("username")
@as_json
@located
def identities(workspace: Workspace, /, username: str, as_json: bool) -> None:
    """List the ways in which a person signs in.

    \b
    Example:
      gatekit users identities alice
    """

    async def work(office: Office) -> list[Identity]:
        return list(await office.identities.list(office.actor, username))

    rows = workspace.read(work)
    if as_json:
        print_json([_identity(row) for row in rows])
        return
    print_table(
        ("CONNECTION", "LOGIN", "SUBJECT", "ISSUER", "LAST SEEN (UTC)"),
        [
            (row.connection, row.login or "-", row.subject, row.issuer, minute(row.last_seen_at))
            for row in rows
        ],
        "none",
    )


@click.command()
@click.argument("username")
@click.option("--connection", required=True, help="Name of the connection.")
@click.option("--issuer", required=True, help="As the provider calls itself, e.g. https://acme.okta.com.")
@click.option(
    "--subject", required=True, help="The provider's own id of the person; never an e-mail address."
)
@click.option("--login", default="", help="The person's name there, if it is known.")
@located
def link(workspace: Workspace, /, username: str, **identity: Any) -> None:
    """Let somebody of a provider sign in as this person.

    \b
    Example:
      gatekit users link alice --connection okta --issuer https://acme.okta.com --subject 00u1abcd
    """
    workspace.change(lambda office: office.identities.link(office.actor, username, **identity))
    click.echo(f"{identity['subject']} of {identity['connection']} signs in as {username}")


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("into", metavar="INTO")
@yes
@located
def merge(workspace: Workspace, /, source: str, into: str, yes: bool) -> None:
    """Make two people one: FROM's ways of signing in, groups, grants and keys become INTO's.

    FROM is signed out, and is gone. Records keep the old id, and are found with INTO.

    \b
    Example:
      gatekit users merge ada-2 ada --yes
    """
    if not yes:
        click.confirm(f"Make {source} part of {into}, for good?", abort=True, err=True)
    moved = workspace.change(lambda office: office.merging.merge(office.actor, source, into))
    click.echo(
        f"{source} is {into} now: {moved.identities} ways of signing in, {moved.groups} groups, "
        f"{moved.grants} grants, {moved.keys} keys"
    )


@click.command()
@click.argument("username")
@click.option("--connection", required=True, help="Name of the connection.")
@located
def unlink(workspace: Workspace, /, username: str, connection: str) -> None:
    """Take a way of signing in away from a person, and sign them out everywhere.

    \b
    Example:
      gatekit users unlink alice --connection github
    """
    workspace.change(lambda office: office.identities.unlink(office.actor, username, connection))
    click.echo(f"{username} does not sign in with {connection} any more")


@click.command()
@click.argument("username")
@click.option("--remove", is_flag=True, help="Remove them all: lost, or made by somebody else.")
@as_json
@located
def passkeys(workspace: Workspace, /, username: str, remove: bool, as_json: bool) -> None:
    """List the passkeys of a person, or remove them all.

    \b
    Example:
      gatekit users passkeys alice --remove
    """
    if remove:
        count = workspace.change(lambda office: office.passkeys.remove_all(office.actor, username))
        click.echo(f"{username} has no passkeys any more (there were {count})")
        return

    async def work(office: Office) -> list[Passkey]:
        return list(await office.passkeys.list(office.actor, username))

    found = workspace.read(work)
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "created_at": moment(one.created_at),
                    "last_used_at": moment(one.last_used_at) if one.last_used_at else None,
                }
                for one in found
            ]
        )
        return
    rows = [
        (one.name, minute(one.created_at), minute(one.last_used_at) if one.last_used_at else "never")
        for one in found
    ]
    print_table(("NAME", "MADE (UTC)", "LAST USED (UTC)"), rows, nothing=f"{username} has no passkeys")


@click.command("reset-factors")
@click.argument("username")
@located
def reset_factors(workspace: Workspace, /, username: str) -> None:
    """Take away a person's passkeys, authenticator and recovery codes. The password stays.

    \b
    Example:
      gatekit users reset-factors alice
    """
    had = workspace.change(lambda office: office.factors.reset(office.actor, username))
    second = "an authenticator" if had.totp else "no authenticator"
    click.echo(f"{username} has only the password now (there were {len(had.passkeys)} passkeys, {second})")


@click.command()
@click.argument("username")
@click.option("--end", is_flag=True, help="Sign the person out in all of them.")
@as_json
@located
def sessions(workspace: Workspace, /, username: str, end: bool, as_json: bool) -> None:
    """List the browsers in which a person is signed in, or end them all.

    \b
    Example:
      gatekit users sessions alice --end
    """
    if end:
        workspace.change(lambda office: office.people.end_sessions(office.actor, username))
        click.echo(f"{username} is signed out everywhere")
        return

    async def work(office: Office) -> list[BrowserSessionView]:
        return list(await office.sessions.list(office.actor, username))

    views = workspace.read(work)
    if as_json:
        print_json(
            [
                {
                    "id": view.id,
                    "connection": view.session.connection,
                    "address": view.session.address,
                    "agent": view.session.agent,
                    "signed_in_at": moment(view.session.auth_time),
                    "expires_at": moment(view.session.expires_at),
                }
                for view in views
            ]
        )
        return
    print_table(
        ("ID", "SIGNED IN (UTC)", "UNTIL (UTC)", "FROM", "BROWSER"),
        [
            (
                view.id,
                minute(view.session.auth_time),
                minute(view.session.expires_at),
                view.session.address or "-",
                view.session.agent or "-",
            )
            for view in views
        ],
        f"{username} is signed in nowhere",
    )


@click.command()
@click.argument("username")
@as_json
@located
def grants(workspace: Workspace, /, username: str, as_json: bool) -> None:
    """List which applications a person lets act for them; `gatekit grants revoke` ends one.

    \b
    Example:
      gatekit users grants alice
    """

    async def work(office: Office) -> list[GrantView]:
        return list(await office.grants.list(office.actor, username))

    views = workspace.read(work)
    if as_json:
        print_json(
            [
                {
                    "id": view.grant.id,
                    "client_id": view.grant.client_id,
                    "client": view.client_name,
                    "resources": list(view.grant.resources),
                    "scopes": list(view.grant.scopes),
                    "used_at": moment(view.used_at),
                    "expires_at": moment(view.grant.expires_at),
                }
                for view in views
            ]
        )
        return
    print_table(
        ("ID", "CLIENT", "RESOURCES", "LAST USED (UTC)", "EXPIRES (UTC)"),
        [
            (
                view.grant.id,
                view.client_name,
                listed(view.grant.resources),
                minute(view.used_at),
                minute(view.grant.expires_at),
            )
            for view in views
        ],
        f"{username} allowed nothing to anybody",
    )


def _identity(row: Identity) -> dict[str, Any]:
    return {
        "connection": row.connection,
        "issuer": row.issuer,
        "subject": row.subject,
        "login": row.login,
        "email": row.email,
        "email_verified": row.email_verified,
        "created_at": moment(row.created_at),
        "last_seen_at": moment(row.last_seen_at),
    }
