"""``gatekit init``: write a commented starter file, and make the first owner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekit.cli.output import minute

if TYPE_CHECKING:
    from gatekit.admin.people import Invited
    from gatekit.cli.context import Office


@click.command("init", short_help="Write a commented starter file, and make the first owner.")
@click.argument("path", type=click.Path(path_type=Path), default=Path("gatekit.yaml"), required=False)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option(
    "--owner",
    default="",
    metavar="USERNAME",
    help="Who may do everything, and gets a one-time link.  [default: your name on this machine]",
)
@click.option("--no-owner", is_flag=True, help="Write the file only.")
def init(path: Path, force: bool, owner: str, no_owner: bool) -> None:
    """Write a commented configuration to PATH (default: gatekit.yaml here; a folder gets one inside).

    Then makes the first owner in its data directory, and prints the one-time link with which they choose a
    password. Run it as the account that will run the gateway.

    \b
    Example:
      gatekit init /etc/gatekit/gatekit.yaml --owner alice
    """
    from gatekit.admin.people import check_username
    from gatekit.config.load import DEFAULT_NAME
    from gatekit.config.starter import OWNER, starter

    if owner and no_owner:
        raise click.UsageError("--owner and --no-owner exclude each other")
    name = OWNER if no_owner else owner or _own_name()
    check_username(name)
    target = path / DEFAULT_NAME if path.is_dir() else path
    # Exclusive creation, so that two of us, or a link put there meanwhile, cannot cost anybody a file.
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        # 0600: the file may come to hold secrets.
        with open(os.open(target, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(starter(name))
    except FileExistsError:
        raise click.ClickException(f"{target} exists; --force overwrites it") from None
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror or error}") from None
    click.echo(f"wrote {target}")
    if not no_owner:
        _make_owner(target, name)
    click.echo(f"next: gatekit check --config {target}")


def _own_name() -> str:
    """Of whoever types, if somebody can be called so here."""
    from gatekit.admin.people import check_username
    from gatekit.cli.context import who
    from gatekit.errors import InvalidInput

    name = who().lower()
    try:
        check_username(name)
    except InvalidInput:
        return "owner"
    return name


def _make_owner(config: Path, name: str) -> None:
    from gatekit.cli.context import find
    from gatekit.errors import GatekitError

    workspace = find(config, None)
    try:
        invited = workspace.change(lambda office: _first_owner(office, name))
    except GatekitError as failed:  # the file stands all the same, and the step can be taken later
        later = f"gatekit users add {name}; gatekit users role {name} owner"
        raise click.ClickException(
            f"the first owner could not be made ({failed}); later: {later}"
        ) from failed
    if invited is None:
        click.echo("there is an owner already")
        return
    until = minute(invited.expires_at)
    click.echo(f"{name} is the first owner. One-time link, good until {until} UTC, once the gateway runs:")
    click.echo(workspace.invite_link(invited.token))


async def _first_owner(office: Office, name: str) -> Invited | None:
    """None if there is one, as after ``--force``."""
    from gatekit.model.people import PeopleQuery

    if await office.people.list(office.actor, PeopleQuery(role="owner", disabled=False, limit=1)):
        return None
    await office.people.create(office.actor, name)  # refuses who is here already: that is for somebody to say
    await office.roles.set(office.actor, name, "owner")
    return await office.people.invite(office.actor, name)
