"""``gatekit tenants``: what the common file says, changes of it, and whether every own file can be used."""

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
    `gatekit --tenant acme users add alice`.

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
@click.argument("name")
@click.option("--host", required=True, help="The one host name that leads to it.")
@click.option(
    "--own-file",
    default="",
    help="Its own file, from the common one's directory.  [default: NAME/gatekit.yaml]",
)
@click.option("--allow-commands", is_flag=True, help="Its file may start programs: trust it with everything.")
@with_config
def add(path: Path, /, name: str, host: str, own_file: str, allow_commands: bool) -> None:
    """Write another tenant into the common file; a gateway that runs starts it. Comments stay.

    \b
    Example:
      gatekit tenants add acme --host acme.gate.example.com --config gatekit.yaml
    """
    from gatekit.config import tenants_edit

    own_file = own_file or f"{name}/gatekit.yaml"
    tenants_edit.add(path, name, host, own_file, allow_commands=allow_commands)
    click.echo(f"{name} was added; its own file is {path.parent / own_file}")


@tenants.command()
@click.argument("name")
@with_config
def disable(path: Path, /, name: str) -> None:
    """Switch a tenant off in the common file; a gateway that runs ends it at once. Its data stay.

    \b
    Example:
      gatekit tenants disable acme --config gatekit.yaml
    """
    from gatekit.config import tenants_edit

    tenants_edit.set_enabled(path, name, False)
    click.echo(f"{name} is switched off")


@tenants.command()
@click.argument("name")
@with_config
def enable(path: Path, /, name: str) -> None:
    """Switch a tenant on again.

    \b
    Example:
      gatekit tenants enable acme --config gatekit.yaml
    """
    from gatekit.config import tenants_edit

    tenants_edit.set_enabled(path, name, True)
    click.echo(f"{name} is switched on")


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
