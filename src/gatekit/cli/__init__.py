"""The command line: doors without logic. Each command lives in a file of its own and is imported when it is
asked for, so that ``gatekit version`` does not pay for ``gatekit serve``.

Errors are one line on standard error and an exit code: 2 for a configuration that cannot be used (and for
wrong usage, by click), 70 for a fault of Gatekit itself, 1 for everything else.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from gatekit.errors import ConfigError, GatekitError

COMMANDS = {
    "init": ("gatekit.cli.init", "init", "Write a commented starter configuration."),
    "check": ("gatekit.cli.check", "check", "Check a configuration and show what it means."),
    "doctor": ("gatekit.cli.doctor", "doctor", "Would each known client get in? If not, what mends it."),
    "serve": ("gatekit.cli.serve", "serve", "Run the gateway."),
    "stdio": ("gatekit.cli.stdio", "stdio", "Serve one local client over standard input and output."),
    "bridge": (
        "gatekit.cli.bridge",
        "bridge",
        "Use a remote server from a client that only starts children.",
    ),
    "demo": ("gatekit.cli.demo", "demo", "Run a complete demonstration on this machine."),
    "users": ("gatekit.cli.users", "users", "People: add, invite, disable, delete."),
    "groups": ("gatekit.cli.groups", "groups", "Groups and who is in them."),
    "service-accounts": (
        "gatekit.cli.service_accounts",
        "service_accounts",
        "Programs with API keys and without a sign-in.",
    ),
    "connections": (
        "gatekit.cli.connections",
        "connections",
        "Connections: tokens for provisioning.",
    ),
    "keys": ("gatekit.cli.keys", "keys", "API keys for clients that cannot do OAuth."),
    "admin-keys": (
        "gatekit.cli.admin_keys",
        "admin_keys",
        "Keys for programs that administrate, over the REST interface.",
    ),
    "clients": ("gatekit.cli.clients", "clients", "OAuth clients."),
    "grants": ("gatekit.cli.grants", "grants", "What people allowed which clients; revoke it."),
    "signing-keys": (
        "gatekit.cli.signing_keys",
        "signing_keys",
        "The keys that sign tokens: list, rotate, retire.",
    ),
    "pins": ("gatekit.cli.pins", "pins", "What servers say of their tools: look, approve, reject."),
    "rules": ("gatekit.cli.rules", "rules", "Rules that are made while the gateway runs."),
    "plan": ("gatekit.cli.plan", "plan", "Show what another file would change."),
    "apply": ("gatekit.cli.plan", "apply", "Let another file take the place of the one in force."),
    "quotas": ("gatekit.cli.quotas", "quotas", "What was used of which quota."),
    "policy": (
        "gatekit.cli.policy",
        "policy",
        "What the rules say and why; cases; what they would have said.",
    ),
    "approvals": ("gatekit.cli.approvals", "approvals", "Calls that wait for somebody's yes."),
    "requests": ("gatekit.cli.requests", "requests", "People ask for servers that they may not use."),
    "audit": ("gatekit.cli.audit", "audit", "Search and follow the audit trail."),
    "plugin": ("gatekit.cli.plugin", "plugin", "Plugins: list, check, begin one."),
    "tenants": ("gatekit.cli.tenants", "tenants", "Several organisations in one gateway: list and check."),
    "version": ("gatekit.cli.version", "version", "Show the version."),
}
"""name → (module, attribute, short help)."""


WITHOUT_TENANT = frozenset(
    ("init", "serve", "stdio", "bridge", "demo", "tenants", "version", "doctor", "check", "plan", "apply")
)
"""Commands that are about no single tenant."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is run or its own help is shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        command = getattr(importlib.import_module(row[0]), row[1])
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--tenant", default="", metavar="NAME", help="Whom a command is about, in a gateway of several."
)
@click.pass_context
def cli(context: click.Context, /, tenant: str) -> None:
    """Gatekit: the authenticated front door for MCP servers.

    \b
    Example:
      gatekit init && gatekit check && gatekit serve
    """
    if tenant:
        if context.invoked_subcommand in WITHOUT_TENANT:
            raise click.UsageError(f"--tenant does not go with `{context.invoked_subcommand}`")
        context.meta["gatekit.tenant"] = tenant  # ``cli.context.TENANT``, which is imported where it is used


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``gatekit`` command."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="gatekit")
    except ConfigError as error:
        for fault in error.faults:
            click.echo(f"gatekit: {fault}", err=True)
        sys.exit(error.exit_code)
    except GatekitError as error:
        click.echo(f"gatekit: {error}", err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("GATEKIT_DEBUG"):
            raise
        kind = type(error).__name__
        click.echo(f"gatekit: internal error: {kind}: {error} (GATEKIT_DEBUG=1 shows where)", err=True)
        sys.exit(70)
