"""``gatekit users``: people of the embedded connection, and who else has signed in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import (
    Duration,
    as_json,
    listed,
    minute,
    moment,
    print_json,
    print_table,
    yes,
)
from gatekit.cli.users_files import export, import_
from gatekit.cli.users_life import grants, identities, link, merge, passkeys, reset_factors, sessions, unlink
from gatekit.cli.users_show import person_facts, show, state
from gatekit.errors import InvalidInput
from gatekit.model.people import ROLES, PeopleQuery, Role

if TYPE_CHECKING:
    from gatekit.admin.people import Afterlife, Invited, PersonView

valid_for = click.option(
    "--expires",
    "expires",
    type=Duration(),
    default="48h",
    show_default=True,
    help="How long the link is good.",
)


@click.group(short_help="People: add, invite, disable, delete.")
@placed
def users() -> None:
    """People who may sign in.

    \b
    Example:
      gatekit users add alice --group developers
    """


@users.command()
@click.argument("username")
@click.option(
    "--group", "-g", "groups", multiple=True, metavar="GROUP", help="Put them in it; may be repeated."
)
@click.option("--email", default="", help="E-mail address; you vouch for it.")
@click.option("--name", "display_name", default="", help="Full name.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input; no link is made.")
@click.option("--invite", is_flag=True, help="Print a one-time sign-in link (the default).")
@valid_for
@as_json
@located
def add(
    workspace: Workspace,
    /,
    username: str,
    password_stdin: bool,
    invite: bool,
    expires: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Add a person and print a one-time link with which they choose a password.

    \b
    Example:
      gatekit users add alice --group developers --email alice@example.com
    """
    if password_stdin and invite:
        raise click.UsageError("--password-stdin and --invite exclude each other")
    password = _password_from_stdin() if password_stdin else None

    async def work(office: Office) -> Invited | None:
        if password is not None:
            secret = (password, await _hasher())
            await office.people.create(office.actor, username, password=secret, **given)
            return None
        await office.people.create(office.actor, username, **given)
        return await office.people.invite(office.actor, username, expires)

    invited = workspace.change(work)
    if invited is not None:
        _print_invite(workspace, invited, as_json)
    elif as_json:
        print_json({"username": username})
    else:
        click.echo(f"{username} was added")


@users.command("list")
@click.option("--search", "text", default="", help="Only names and addresses that hold this text.")
@click.option("--connection", default="", help="Only people of this connection.")
@click.option("--group", default="", help="Only direct members of this group of ours.")
@click.option("--role", type=click.Choice(ROLES), help="Only people of this role.")
@click.option("--disabled/--enabled", default=None, help="Only those who are (not) disabled.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most so many."
)
@click.option("--after", default="", metavar="USERNAME", help="Begin after this username.")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool, **wanted: Any) -> None:
    """List everybody who was added or has signed in.

    \b
    Example:
      gatekit users list --search example.com --disabled
    """
    query = PeopleQuery(**wanted)

    async def work(office: Office) -> list[PersonView]:
        return list(await office.people.list(office.actor, query))

    views = workspace.read(work)
    if len(views) == query.limit:
        click.echo(f"There may be more: --after {views[-1].user.username}", err=True)
    if as_json:
        print_json([person_facts(view) for view in views])
        return
    print_table(
        ("USERNAME", "ROLE", "GROUPS", "E-MAIL", "SIGNS IN WITH", "LAST SEEN (UTC)", "STATE"),
        [
            (
                view.user.username,
                view.user.role,
                listed([membership.group for membership in view.groups]),
                view.user.email or "-",
                view.user.connection,
                minute(view.user.last_seen_at),
                state(view),
            )
            for view in views
        ],
        "there is nobody yet: gatekit users add NAME",
    )


@users.command()
@click.argument("username")
@located
def disable(workspace: Workspace, /, username: str) -> None:
    """Refuse a person everywhere from now on. Nothing is lost; `enable` takes it back.

    \b
    Example:
      gatekit users disable bob
    """
    user = workspace.change(lambda office: office.people.disable(office.actor, username))
    click.echo(f"{user.username} is disabled")


@users.command()
@click.argument("username")
@located
def enable(workspace: Workspace, /, username: str) -> None:
    """Let a disabled person in again.

    \b
    Example:
      gatekit users enable bob
    """
    user = workspace.change(lambda office: office.people.enable(office.actor, username))
    click.echo(f"{user.username} is enabled")


@users.command()
@click.argument("username")
@click.option(
    "--audit",
    type=click.Choice(["keep", "pseudonymise"]),
    default="keep",
    show_default=True,
    help="Whether records about them go on showing the name.",
)
@yes
@located
def delete(workspace: Workspace, /, username: str, audit: Afterlife, yes: bool) -> None:
    """Delete a person with their sign-ins, grants and keys.

    \b
    Example:
      gatekit users delete bob --yes
    """
    if not yes:
        click.confirm(f"Delete {username}, with all sign-ins, grants and keys?", abort=True, err=True)
    user = workspace.change(lambda office: office.people.delete(office.actor, username, audit))
    click.echo(f"{user.username} was deleted")


@users.command()
@click.argument("username")
@valid_for
@as_json
@located
def invite(workspace: Workspace, /, username: str, expires: int, as_json: bool) -> None:
    """Print a new one-time link for a person; an earlier one ends.

    \b
    Example:
      gatekit users invite alice --expires 24h
    """
    invited = workspace.change(lambda office: office.people.invite(office.actor, username, expires))
    _print_invite(workspace, invited, as_json)


@users.command()
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input instead of asking.")
@located
def password(workspace: Workspace, /, username: str, password_stdin: bool) -> None:
    """Set a person's password; sign-ins that were made with the old one end.

    \b
    Example:
      gatekit users password alice
    """
    if password_stdin:
        text = _password_from_stdin()
    else:
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)

    async def work(office: Office) -> str:
        user = await office.people.set_password(office.actor, username, text, await _hasher())
        return user.username

    click.echo(f"the password of {workspace.change(work)} is set")


for _command in (
    show,
    identities,
    link,
    unlink,
    merge,
    passkeys,
    reset_factors,
    sessions,
    grants,
    export,
    import_,
):
    users.add_command(_command)


@users.command()
@click.argument("username")
@click.argument("role", type=click.Choice(ROLES))
@located
def role(workspace: Workspace, /, username: str, role: Role) -> None:
    """Say what a person may do to others.

    A member nothing, an auditor looks at everything, an admin manages it, an owner makes admins.

    \b
    Example:
      gatekit users role alice owner
    """
    user = workspace.change(lambda office: office.roles.set(office.actor, username, role))
    click.echo(f"{user.username} is {role} now")


async def _hasher() -> Any:
    from gatekit.identity.passwords import PasswordHasher

    hasher = PasswordHasher(workers=1)

    async def hash_password(text: str) -> str:
        try:
            return await hasher.hash(text)
        finally:
            hasher.close()

    return hash_password


def _password_from_stdin() -> str:
    """One line, without its end; a password may begin or end with a space."""
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise InvalidInput("standard input holds no password")
    return text


def _print_invite(workspace: Workspace, invited: Invited, as_json: bool) -> None:
    link = workspace.invite_link(invited.token)
    if as_json:
        facts = {
            "username": invited.user.username,
            "invite_url": link,
            "expires_at": moment(invited.expires_at),
        }
        print_json(facts)
        return
    click.echo(link)
    until = minute(invited.expires_at)
    click.echo(
        f"One-time link for {invited.user.username}, good until {until} UTC. It is not shown again.", err=True
    )
    if not workspace.public_url:
        click.echo("Put your gateway's address in front of it.", err=True)
