"""``gatekit connections list | show | add | replace | enable | disable | remove``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Workspace, located
from gatekit.cli.output import as_json, print_facts, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.connections import ConnectionView


@click.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """Every connection, of the file and added at run time.

    \b
    Example:
      gatekit connections list
    """
    views = workspace.read(lambda office: office.connections(workspace).list(office.actor))
    if as_json:
        print_json([_facts(view) for view in views])
        return
    rows = [(v.name, v.kind, "yes" if v.enabled else "no", v.source) for v in views]
    print_table(("NAME", "KIND", "ENABLED", "FROM"), rows, "there are no connections")


@click.command()
@click.argument("name")
@as_json
@located
def show(workspace: Workspace, /, name: str, as_json: bool) -> None:
    """One connection: what it is, and the addresses to enter at the provider. Secrets are masked.

    \b
    Example:
      gatekit connections show okta
    """
    view = workspace.read(lambda office: office.connections(workspace).show(office.actor, name))
    facts = _facts(view)
    if workspace.public_url and view.kind not in ("local", "ldap", "saml"):
        facts["callback"] = f"{workspace.public_url}/callback/{name}"
        if view.kind != "github":
            facts["back-channel logout"] = f"{workspace.public_url}/backchannel-logout/{name}"
    if view.settings:
        facts["settings"] = dict(view.settings)
    if as_json:
        print_json(facts)
        return
    settings = facts.pop("settings", {})
    print_facts({key: str(value) for key, value in {**facts, **settings}.items()})


@click.command()
@click.argument("name")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The entry, as it would stand under `proxy.auth.providers.NAME`.",
)
@located
def add(workspace: Workspace, /, name: str, file: Path) -> None:
    """Add a connection to a gateway that runs. Nothing has to be restarted.

    `${file:…}` and `${env:…}` in the entry are read now; what they hold is kept sealed.

    \b
    Example:
      gatekit connections add okta --file okta.yaml
    """
    entry = _entry(file)
    view = workspace.change(lambda office: office.connections(workspace).add(office.actor, name, entry))
    click.echo(f"{name} ({view.kind}) was added")
    if workspace.public_url and view.kind != "ldap":
        click.echo(f"Redirect URI for the provider: {workspace.public_url}/callback/{name}", err=True)


@click.command()
@click.argument("name")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The whole entry, as for `add`, with its secrets.",
)
@located
def replace(workspace: Workspace, /, name: str, file: Path) -> None:
    """Give a connection that was added at run time another entry. Its people stay.

    \b
    Example:
      gatekit connections replace okta --file okta.yaml
    """
    entry = _entry(file)
    workspace.change(lambda office: office.connections(workspace).replace(office.actor, name, entry))
    click.echo(f"{name} was replaced")


@click.command()
@click.argument("name")
@located
def enable(workspace: Workspace, /, name: str) -> None:
    """Let people sign in over a connection again.

    \b
    Example:
      gatekit connections enable okta
    """
    _set_enabled(workspace, name, True)


@click.command()
@click.argument("name")
@located
def disable(workspace: Workspace, /, name: str) -> None:
    """Nobody signs in over it any more, and whoever did is out at once.

    \b
    Example:
      gatekit connections disable okta
    """
    _set_enabled(workspace, name, False)


@click.command()
@click.argument("name")
@yes
@located
def remove(workspace: Workspace, /, name: str, yes: bool) -> None:
    """Remove a connection that was added at run time. Its people stay, and cannot come in.

    \b
    Example:
      gatekit connections remove okta --yes
    """
    if not yes:
        click.confirm(f"Remove the connection {name}?", abort=True, err=True)
    workspace.change(lambda office: office.connections(workspace).remove(office.actor, name))
    click.echo(f"{name} was removed")


def _set_enabled(workspace: Workspace, name: str, enabled: bool) -> None:
    changed = workspace.change(
        lambda office: office.connections(workspace).set_enabled(office.actor, name, enabled)
    )
    word = "enabled" if enabled else "disabled"
    click.echo(f"{name} was {word}" if changed else f"{name} was {word} already")


def _facts(view: ConnectionView) -> dict[str, Any]:
    return {"name": view.name, "kind": view.kind, "enabled": view.enabled, "from": view.source}


def _entry(path: Path) -> dict[str, Any]:
    """Raises ``ConfigError``."""
    from gatekit.config import document as doc
    from gatekit.config.references import References
    from gatekit.errors import ConfigError

    document = doc.read(path.read_text(encoding="utf-8"))
    References(document, path.absolute().parent, os.environ).resolve_all()
    if document.faults:
        raise ConfigError([fault.render(path.name) for fault in document.faults])
    return dict(document.data)
