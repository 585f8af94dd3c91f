"""``gatekit connections scim-token``: what a provider presents to keep people here by SCIM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import Duration, as_json, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.scim_tokens import ScimTokens
    from gatekit.model.provisioning import ScimToken


def _desk(office: Office) -> ScimTokens:
    from gatekit.admin.scim_tokens import ScimTokens

    return office.of(ScimTokens)


@click.group("scim-token", short_help="Tokens with which a provider provisions (SCIM).")
def scim_token() -> None:
    """Tokens with which a provider keeps people and groups here (SCIM).

    The connection needs a `provisioning:` section as well. Several tokens may be good at once: make the next
    one, enter it at the provider, then revoke the last one.

    \b
    Example:
      gatekit connections scim-token create okta
    """


@scim_token.command()
@click.argument("connection")
@click.option("--expires", type=Duration(), default=None, help="Such as 365d. None: until it is revoked.")
@as_json
@located
def create(workspace: Workspace, /, connection: str, expires: int | None, as_json: bool) -> None:
    """Make a token for a connection and print it. It is shown this once.

    \b
    Example:
      gatekit connections scim-token create okta --expires 365d
    """
    known = workspace.provisioned
    if known is not None and known.get(connection) is False:
        raise click.UsageError(
            f"{connection} has no section `provisioning:`; write `provisioning: {{}}` there"
        )
    if known is not None and connection not in known:
        click.echo(f"{connection} is not in the file: the token opens nothing until it is", err=True)
    issued = workspace.change(lambda office: _desk(office).create(office.actor, connection, expires or 0))
    token = issued.token
    ends = f"until {minute(token.expires_at)} UTC" if token.expires_at else "until it is revoked"
    if as_json:
        print_json({"token": issued.text, **_facts(token)})
        return
    click.echo(issued.text)
    click.echo(f"Token {token.id} of {connection}, good {ends}. It is not shown again.", err=True)
    if workspace.public_url:
        click.echo(f"Base URL for the provider: {workspace.public_url}/scim/v2", err=True)


@scim_token.command("list")
@click.option("--connection", default="", help="Only the tokens of this connection.")
@as_json
@located
def list_(workspace: Workspace, /, connection: str, as_json: bool) -> None:
    """List tokens (never the secrets).

    \b
    Example:
      gatekit connections scim-token list
    """

    async def work(office: Office) -> list[ScimToken]:
        return list(await _desk(office).list(office.actor, connection))

    tokens = workspace.read(work)
    if as_json:
        print_json([_facts(token) for token in tokens])
        return
    print_table(
        ("ID", "CONNECTION", "TOKEN", "MADE (UTC)", "EXPIRES", "LAST USED", "REVOKED"),
        [
            (
                token.id,
                token.connection,
                f"…{token.hint}",
                minute(token.created_at),
                minute(token.expires_at or None),
                minute(token.last_used_at),
                minute(token.revoked_at),
            )
            for token in tokens
        ],
        "there are no tokens: gatekit connections scim-token create CONNECTION",
    )


@scim_token.command()
@click.argument("token_id", metavar="ID")
@yes
@located
def revoke(workspace: Workspace, /, token_id: str, yes: bool) -> None:
    """End a token at once and for good. The people it brought stay.

    \b
    Example:
      gatekit connections scim-token revoke sct_01KB3T… --yes
    """
    if not yes:
        click.confirm(f"Revoke the token {token_id}? It cannot be taken back", abort=True, err=True)
    token = workspace.change(lambda office: _desk(office).revoke(office.actor, token_id))
    click.echo(f"{token.id} of {token.connection} is revoked")


def _facts(token: ScimToken) -> dict[str, object]:
    return {
        "id": token.id,
        "connection": token.connection,
        "hint": token.hint,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at or None),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }
