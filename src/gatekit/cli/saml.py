"""``gatekit connections saml-metadata | saml-rotate-keys``: what a SAML provider imports of us, what it says
of itself, and our own keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from gatekit.cli.context import DATABASE, Office, Workspace, located, with_config
from gatekit.cli.output import as_json, minute, print_json

if TYPE_CHECKING:
    from gatekit.config.model import Config, SamlConnection
    from gatekit.identity.saml.keys import Use
    from gatekit.identity.saml.metadata import Provider

USES: tuple[Use, ...] = ("saml-signing", "saml-reading")


@click.command("saml-metadata", short_help="Metadata of a SAML connection: ours, or theirs.")
@click.argument("connection")
@click.option("--theirs", is_flag=True, help="Read the provider's instead, and say what stands in it.")
@as_json
@with_config
def saml_metadata(path: Path, /, connection: str, theirs: bool, as_json: bool) -> None:
    """Print our metadata, for the provider to import; or, with --theirs, ask for the provider's.

    Ours is the same as at /saml/CONNECTION/metadata, without a running gateway. Theirs is read as the gateway
    reads it, so whatever keeps it from being used is said here (exit code 1).

    \b
    Example:
      gatekit connections saml-metadata corp > gatekit.xml
      gatekit connections saml-metadata corp --theirs
    """
    from gatekit.config.load import load
    from gatekit.config.model import SamlConnection

    config = load(path)
    found = next((entry for entry in config.auth.connections if entry.name == connection), None)
    if not isinstance(found, SamlConnection):
        raise click.UsageError(f"{connection} is no connection of `type: saml`")
    if not theirs:
        click.echo(asyncio.run(_ours(config, found)).decode())
        return
    provider, warnings = asyncio.run(_theirs(found))
    facts = _facts(provider)
    if as_json:
        print_json({**facts, "warnings": warnings})
        return
    for name, value in facts.items():
        for line in value if isinstance(value, list) else [value]:
            click.echo(f"{name}: {line}")
    for warning in warnings:
        click.echo(f"! {warning}")


@click.command("saml-rotate-keys", short_help="Publish the next SAML keys of ours.")
@located
def saml_rotate_keys(workspace: Workspace, /) -> None:
    """Publish the next keys of ours in the metadata of every SAML connection, beside the old ones.

    The old ones go on signing, and both read. Have every provider import the metadata again; then end the old
    keys with `gatekit signing-keys retire`, and the new ones sign.

    \b
    Example:
      gatekit connections saml-rotate-keys
    """
    from gatekit.errors import InvalidInput

    host = urlsplit(workspace.public_url).hostname
    if not host:
        raise InvalidInput("the certificates name our public host, so this needs the configuration file")

    async def work(office: Office) -> dict[str, list[str]]:
        keys = office.saml_keys(host)
        old: dict[str, list[str]] = {}
        for use in USES:
            await keys.pairs(use)  # the first ones, where there are none yet
        rows = await office.signing_keys.list(office.actor)
        for use in USES:
            old[use] = [row.kid for row in rows if row.purpose == use and row.retired_at is None]
        await office.signing_keys.succeed(office.actor, [await keys.fresh(use) for use in USES])
        return old

    for use, kids in workspace.change(work).items():
        click.echo(f"{use}: the next key is published; when every provider has it, end the old one:")
        for kid in kids:
            click.echo(f"  gatekit signing-keys retire {kid}")


async def _ours(config: Config, connection: SamlConnection) -> bytes:
    from gatekit.outgoing import saml_provider
    from gatekit.platform.clock import SystemClock, SystemEntropy
    from gatekit.platform.vault import Vault, load_master_key
    from gatekit.store.sql.store import open_store

    store = await open_store(config.data_dir / DATABASE)
    try:
        vault = Vault(load_master_key(config.data_dir))
        made = saml_provider(connection, config, store, vault, SystemClock(), SystemEntropy())
        return await made.metadata()
    finally:
        await store.close()


async def _theirs(connection: SamlConnection) -> tuple[Provider, list[str]]:
    from gatekit.identity.saml.source import expiring, look
    from gatekit.outgoing import saml_get
    from gatekit.platform.clock import SystemClock

    clock = SystemClock()
    get = saml_get(connection, clock)
    provider = await look(
        connection.metadata, get, clock, connection.entity_id, connection.metadata_certificate
    )
    return provider, expiring(provider, clock.now())


def _facts(provider: Provider) -> dict[str, str | list[str]]:
    from cryptography.hazmat.primitives import hashes

    return {
        "entity_id": provider.entity_id,
        "sign_in": [f"{entry.location} ({entry.binding.rpartition(':')[2]})" for entry in provider.sign_in],
        "sign_out": [f"{entry.location} ({entry.binding.rpartition(':')[2]})" for entry in provider.sign_out],
        "certificate": [
            f"sha256 {certificate.fingerprint(hashes.SHA256()).hex()}, until {minute(int(end))} UTC"
            for certificate, end in zip(provider.certificates, provider.expiries(), strict=True)
        ],
        "wants_signed_requests": "yes" if provider.wants_signed_requests else "no",
    }
