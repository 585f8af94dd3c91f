"""The keys that every kind of connection has: from what is written to ``ConnectionRules``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatekit.config import document as doc
from gatekit.config.provider_schema import ProviderIn, ProvisioningIn, SsfIn
from gatekit.config.selectors import GROUP_NAME
from gatekit.config.trust import secure_url
from gatekit.model.connections import (
    Admit,
    AttributeNames,
    ConnectionRules,
    GroupRules,
    Provisioning,
    Signals,
)

MIN_TOKEN = 32
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def resolve_rules(written: ProviderIn, path: doc.Path, document: doc.Document) -> ConnectionRules:
    """Faults go to the document."""
    if written.link and not written.trusted_domains:
        text = "needs `trusted_domains`: the domains whose addresses this provider is believed about"
        document.fault((*path, "link"), text)
    for name, local in written.groups.map.items():
        if not GROUP_NAME.fullmatch(local):
            text = "is not the name of a group of this gateway (letters, digits, _ . -)"
            document.fault((*path, "groups", "map", name), text)
    names = written.map
    return ConnectionRules(
        title=written.title or "",
        enabled=written.enabled,
        domains=_domains(written.domains, (*path, "domains"), document),
        admit=Admit(
            domains=_domains(written.admit.domains, (*path, "admit", "domains"), document),
            groups=written.admit.groups,
        ),
        create=written.create,
        link=written.link,
        trusted_domains=_domains(written.trusted_domains, (*path, "trusted_domains"), document),
        names=AttributeNames(
            login=names.login or "",
            email=names.email or "",
            display_name=names.display_name or "",
            groups=names.groups or "",
        ),
        groups=GroupRules(mapped=tuple(written.groups.map.items()), keep=written.groups.keep),
        provisioning=_provisioning(written.provisioning, (*path, "provisioning"), document),
        signals=_signals(written.ssf, (*path, "ssf"), document),
    )


def _domains(values: Sequence[str], path: doc.Path, document: doc.Document) -> tuple[str, ...]:
    found = []
    for index, value in enumerate(values):
        domain = value.lower().removeprefix("@")
        if not _DOMAIN.fullmatch(domain):
            document.fault((*path, index), "expected a domain like example.com")
        found.append(domain)
    return tuple(found)


def _provisioning(
    written: ProvisioningIn | None, path: doc.Path, document: doc.Document
) -> Provisioning | None:
    if written is None:
        return None
    if written.token is not None and len(written.token) < MIN_TOKEN:
        document.fault((*path, "token"), f"must have at least {MIN_TOKEN} characters")
    return Provisioning(token=written.token or "", match=written.match or "")


def _signals(written: SsfIn | None, path: doc.Path, document: doc.Document) -> Signals | None:
    if written is None:
        return None
    try:
        secure_url(written.jwks_uri)
    except ValueError as error:
        document.fault((*path, "jwks_uri"), str(error))
    return Signals(issuer=written.issuer, audience=written.audience, jwks_uri=written.jwks_uri)
