"""``gatekit tenants``: what the common file says, and whether every tenant's own file can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gatekit.cli.context import with_config
from gatekit.cli.output import as_json, print_json, print_table


@click.group(short_help="Several organisations in one gateway.")
def tenants() -> None:
    """Tenants: organisations that share a gateway and nothing in it. See docs/tenants.md.

    What is inside one of them is changed with the usual commands and its own file:
    `gatekit users add alice --config acme/gatekit.yaml`.

    \b
    Example:
      gatekit tenants check --config gatekit.yaml
    """


@tenants.command("list")
@as_json
@with_config
def list_(path: Path, /, as_json: bool) -> None:
    """List them. Their own files are not opened.

    \b
    Example:
      gatekit tenants list --config gatekit.yaml
    """
    from gatekit.config.tenants import load_tenants

    rows = [
        {
            "tenant": one.name,
            "host": one.host,
            "config": str(one.config),
            "enabled": one.enabled,
            "allow_commands": one.allow_commands,
        }
        for one in load_tenants(path).tenants
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("tenant", "host", "enabled", "commands", "file"),
        [
            (
                str(row["tenant"]),
                str(row["host"]),
                "yes" if row["enabled"] else "no",
                "yes" if row["allow_commands"] else "no",
                str(row["config"]),
            )
            for row in rows
        ],
        "no tenants",
    )


@tenants.command()
@with_config
def check(path: Path, /) -> None:
    """Check the common file and the files of all tenants, also of those that are switched off.

    Exit code 0: all can be used. 2: at least one cannot; every fault is shown.

    \b
    Example:
      gatekit tenants check --config gatekit.yaml
    """
    from gatekit.config.tenants import load_tenant, load_tenants
    from gatekit.errors import ConfigError

    common, bad = load_tenants(path), False
    for tenant in common.tenants:
        outcome = load_tenant(tenant, common).outcome
        if isinstance(outcome, ConfigError):
            bad = True
            for fault in outcome.faults:
                click.echo(f"{tenant.name}: {fault}", err=True)
        else:
            click.echo(f"{tenant.name}: ok, {len(outcome.servers)} servers, {outcome.public_url}")
    if bad:
        sys.exit(ConfigError.exit_code)
