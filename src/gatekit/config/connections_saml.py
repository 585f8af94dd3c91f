"""Connections of the kind ``saml``."""

from __future__ import annotations

from gatekit.config import document as doc
from gatekit.config.addresses import secure_origin
from gatekit.config.model import SamlConnection
from gatekit.config.provider_schema import SamlIn
from gatekit.model.connections import ConnectionRules

MAX_ENTITY_ID = 1024


def resolve_saml(
    name: str, keys: SamlIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> SamlConnection | None:
    """One connection; None after a fault that leaves nothing to work with.

    What stands in a metadata document is judged where it is read (``gatekit check`` does): the parser costs
    start-up time.
    """
    if keys.metadata is None:
        text = "is required: the address of the provider's metadata, or ${file:idp.xml} for the document"
        document.fault((*path, "metadata"), text)
        return None
    metadata = keys.metadata.strip()
    if not metadata.startswith("<") and (why := _no_address(metadata)):
        document.fault((*path, "metadata"), why)
    certificate = (keys.metadata_certificate or "").strip()
    if certificate and "-----BEGIN CERTIFICATE-----" not in certificate:
        document.fault((*path, "metadata_certificate"), "must be a certificate in PEM")
    for key in ("entity_id", "own_entity_id", "subject"):
        value = getattr(keys, key) or ""
        if len(value) > MAX_ENTITY_ID or not value.isprintable() or value != value.strip():
            document.fault((*path, key), "is too long, or holds white space or control characters")
    return SamlConnection(
        name=name,
        metadata=metadata,
        metadata_certificate=certificate,
        entity_id=keys.entity_id or "",
        own_entity_id=keys.own_entity_id or "",
        subject=keys.subject,
        name_id_format=keys.name_id_format or "",
        verified_email=keys.verified_email,
        sign_requests=keys.sign_requests,
        force_authn=keys.force_authn,
        authn_contexts=keys.authn_contexts,
        idp_initiated=keys.idp_initiated,
        single_logout=keys.single_logout,
        title=rules.title or name,
        rules=rules,
    )


def _no_address(text: str) -> str:
    """Why ``text`` is not an address to fetch metadata from; empty if it is one."""
    scheme, mark, rest = text.partition("://")
    host = rest.partition("/")[0]
    if not mark or any(character in text for character in "#\\ "):
        return "expected an address (https://…) or a document (${file:idp.xml})"
    try:
        secure_origin(f"{scheme}://{host}")
    except ValueError as error:
        return str(error)
    return ""
