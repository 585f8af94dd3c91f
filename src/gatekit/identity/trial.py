"""What a sign-in would become, for whoever sets up a connection. Nothing is stored, nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekit.errors import GatekitError
from gatekit.identity.oidc import people
from gatekit.identity.oidc.tokens import check_issuer
from gatekit.identity.registry import Definition
from gatekit.identity.rules import Mapped, apply
from gatekit.model.connections import OidcConnection
from gatekit.model.people import ExternalIdentity


def preview(connection: Definition, claims: Mapping[str, Any]) -> dict[str, Any]:
    """Facts in words: claims of an id_token, or attributes as names with values, and what they become.

    ``ok`` says whether the person would come in; if not, ``refused`` says why.
    """
    try:
        identity = _identity(connection, claims)
    except GatekitError as refused:
        return {"ok": False, "refused": getattr(refused, "detail", "") or str(refused)}
    return become(connection, identity)


def become(connection: Definition, identity: ExternalIdentity) -> dict[str, Any]:
    """The same for somebody whom a provider named."""
    judged = apply(identity, connection.rules)
    if not isinstance(judged, Mapped):
        return {"ok": False, "login": identity.login, "refused": judged.reason}
    found, rules = judged.identity, connection.rules
    return {
        "ok": True,
        "connection": connection.name,
        "issuer": found.issuer,
        "subject": found.subject,
        "login": found.login,
        "named in lists as": f"{connection.name}:{found.login}",
        "email": found.email or "",
        "email verified": found.email_verified,
        "display name": found.display_name,
        "groups": sorted(judged.groups),
        "provider groups": sorted(found.provider_groups) if rules.groups.keep else [],
        "somebody new": "becomes a person here" if rules.create else "is refused (`create: false`)",
    }


def _identity(connection: Definition, claims: Mapping[str, Any]) -> ExternalIdentity:
    if isinstance(connection, OidcConnection):
        claims = {"iss": connection.issuer, **claims}
        check_issuer(connection, claims)
        return people.identity(connection, claims)
    said = people.attributes(claims)

    def one(key: str) -> str:
        return said.get(key, ("",))[0] if said.get(key) else ""

    return ExternalIdentity(
        connection=connection.name,
        issuer=one("issuer") or connection.kind,
        subject=one("subject") or one("id"),
        login=one("login"),
        email=one("email") or None,
        email_verified=one("email_verified") == "true",
        display_name=one("name"),
        provider_groups=frozenset(said.get("groups", ())),
        attributes=said,
    )
