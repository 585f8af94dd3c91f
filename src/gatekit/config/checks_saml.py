"""What is worth a word about SAML connections: metadata that cannot be used, or that ends soon."""

from __future__ import annotations

from collections.abc import Iterator

from gatekit.config.model import Config, SamlConnection
from gatekit.errors import SamlRefused
from gatekit.platform.clock import SystemClock


def saml_warnings(config: Config) -> Iterator[str]:
    """One line each. Reads documents that stand in the configuration; asks nobody."""
    for connection in config.auth.connections:
        if not isinstance(connection, SamlConnection):
            continue
        if connection.idp_initiated:
            yield (
                f"{connection.name}: idp_initiated is on, so a link can sign somebody in to an account that "
                "they did not choose"
            )
        if connection.metadata.startswith("<") or connection.metadata_certificate:
            yield from (f"{connection.name}: {line}" for line in _document(connection))


def _document(connection: SamlConnection) -> Iterator[str]:
    # Only for gateways with such a connection: the parser costs 30 ms and 10 MB.
    from gatekit.identity.saml.metadata import pinned, read_metadata  # noqa: PLC0415
    from gatekit.identity.saml.source import expiring  # noqa: PLC0415

    now = SystemClock().now()
    try:
        signers = pinned(connection.metadata_certificate)
        if connection.metadata.startswith("<"):
            document = connection.metadata.encode()
            yield from expiring(read_metadata(document, now, connection.entity_id, signers), now)
    except SamlRefused as unusable:
        yield f"nobody can sign in: {unusable.detail}"
