"""``gatekit connections``: ways of signing in, and what their providers keep here."""

from __future__ import annotations

import click

from gatekit.cli.connections_life import add, disable, enable, list_, remove, replace, show
from gatekit.cli.connections_trial import test
from gatekit.cli.context import placed
from gatekit.cli.saml import saml_metadata, saml_rotate_keys
from gatekit.cli.scim_tokens import scim_token


@click.group(short_help="Ways of signing in: list, add, test, disable.")
@placed
def connections() -> None:
    """Ways of signing in: those of the file (`proxy.auth.providers`), and those added here.

    \b
    Example:
      gatekit connections test okta
    """


for command in (list_, show, add, replace, enable, disable, remove, test):
    connections.add_command(command)
connections.add_command(saml_metadata)
connections.add_command(saml_rotate_keys)
connections.add_command(scim_token)
