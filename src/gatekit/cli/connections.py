"""``gatekit connections``: ways of signing in, and what their providers keep here."""

from __future__ import annotations

import click

from gatekit.cli.context import placed
from gatekit.cli.saml import saml_metadata
from gatekit.cli.scim_tokens import scim_token


@click.group(short_help="Connections: tokens for provisioning.")
@placed
def connections() -> None:
    """Ways of signing in, as they stand in the file under `proxy.auth.providers`.

    \b
    Example:
      gatekit connections scim-token create okta
    """


connections.add_command(saml_metadata)
connections.add_command(scim_token)
