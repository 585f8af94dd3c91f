"""Connections of the kinds ``oidc``, ``google``, ``entra`` and ``okta``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gatekit.config import document as doc
from gatekit.config.addresses import secure_origin
from gatekit.config.provider_schema import EntraIn, GoogleIn, OidcIn, OktaIn, OpenIdIn
from gatekit.config.trust import issuer_url
from gatekit.model.connections import ConnectionRules, OidcConnection
from gatekit.model.trust import ALGORITHMS

TITLES = {"google": "Google", "entra": "Microsoft", "okta": "Okta"}
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SCOPES = {"okta": ("openid", "profile", "email", "groups")}
"""Where they are not those of every provider."""


def resolve_oidc(
    name: str, written: OidcIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> OidcConnection:
    for index, value in enumerate(written.algorithms):
        if value not in ALGORITHMS:
            text = f"unknown algorithm; known: {', '.join(ALGORITHMS)}"
            document.fault((*path, "algorithms", index), text)
    return OidcConnection(
        **_common("oidc", name, written, rules, path, document),
        issuer=_checked(issuer_url, written.issuer, (*path, "issuer"), document),
        algorithms=written.algorithms,
    )


def resolve_google(
    name: str, written: GoogleIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> OidcConnection:
    return OidcConnection(
        **_common("google", name, written, rules, path, document),
        issuer=_checked(issuer_url, written.issuer, (*path, "issuer"), document),
        hosted_domains=tuple(domain.lower() for domain in written.hosted_domains),
    )


def resolve_entra(
    name: str, written: EntraIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> OidcConnection:
    """The tenants must be named: without them everybody with any Microsoft account is a newcomer."""
    if not written.tenants:
        document.fault((*path, "tenants"), "must name at least one tenant")
    for index, tenant in enumerate(written.tenants):
        if not _TENANT.fullmatch(tenant):
            text = "expected the id of a tenant, like 9188040d-6c67-4c5b-b112-36a304b66dad"
            document.fault((*path, "tenants", index), text)
    authority = _checked(secure_origin, written.authority, (*path, "authority"), document)
    tenant = written.tenants[0] if len(written.tenants) == 1 else "{tenantid}"
    return OidcConnection(
        **_common("entra", name, written, rules, path, document),
        issuer=f"{authority}/{tenant}/v2.0",
        tenants=written.tenants,
        graph_url=_checked(secure_origin, written.graph_url, (*path, "graph_url"), document),
    )


def resolve_okta(
    name: str, written: OktaIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> OidcConnection:
    return OidcConnection(
        **_common("okta", name, written, rules, path, document),
        issuer=_checked(issuer_url, written.issuer, (*path, "issuer"), document),
    )


def _common(
    kind: str, name: str, written: OpenIdIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> dict[str, Any]:
    _check_client(written, path, document)
    scopes = SCOPES.get(kind, OidcConnection(name="", issuer="", client_id="").scopes)
    return {
        "kind": kind,
        "name": name,
        "client_id": written.client_id,
        "client_secret": written.client_secret or "",
        "private_key": written.private_key or "",
        "key_id": written.key_id or "",
        # Google's documentation knows the secret in the body only.
        "auth_method": written.auth_method
        or ("client_secret_post" if kind == "google" and written.client_secret else None),
        "title": rules.title or (TITLES.get(kind, name) if name == kind else name),
        "scopes": written.scopes if written.scopes is not None else scopes,
        "trust_email": written.trust_email,
        "recheck": written.recheck,
        "logout": written.logout,
        "rules": rules,
    }


def _check_client(written: OpenIdIn, path: doc.Path, document: doc.Document) -> None:
    if written.client_secret and written.private_key:
        document.fault((*path, "private_key"), "write either client_secret or private_key, not both")
    if not (written.client_secret or written.private_key or written.auth_method == "none"):
        text = "is required (or private_key; or `auth_method: none` for a public client)"
        document.fault((*path, "client_secret"), text)
    needed = "private_key" if written.auth_method == "private_key_jwt" else "client_secret"
    if written.auth_method not in (None, "none") and not getattr(written, needed):
        document.fault((*path, "auth_method"), f"needs {needed}")
    if written.private_key and "PRIVATE KEY" not in written.private_key:
        document.fault((*path, "private_key"), "expected a private key in PEM, best as ${file:…}")


def _checked(read: Callable[[str], str], value: str, path: doc.Path, document: doc.Document) -> str:
    try:
        return read(value)
    except ValueError as error:
        document.fault(path, str(error))
        return value
