"""Reading a person out of claims, by the names that the operator gave.

Every provider has its own: ``groups``, ``realm_access.roles`` (nested), ``cognito:groups``,
``https://example.com/groups`` (dots that are no path). A claim of exactly the written name comes first, then
the dotted path; a name that begins with ``/`` is a JSON pointer and nothing else (RFC 6901).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekit.errors import ForeignTokenInvalid
from gatekit.model.people import ExternalIdentity
from gatekit.model.trust import ClaimNames, Issuer
from gatekit.platform.foreign import text

MAX_GROUPS = 1000
MAX_GROUP = 256
_MAX_TEXT = 256


def identity(issuer: Issuer, claims: Mapping[str, Any]) -> ExternalIdentity:
    """Who the claims are about. Raises ``ForeignTokenInvalid``."""
    names = issuer.claims
    subject = _required(claims, names.subject)
    email = short(claims, names.email)
    return ExternalIdentity(
        connection=issuer.name,
        issuer=issuer.issuer,
        subject=subject,
        login=short(claims, names.username) or subject,
        email=email or None,
        email_verified=bool(email) and _verified(claims, names),
        display_name=short(claims, names.name),
        provider_groups=group_names(claims, names.groups),
    )


def find(claims: Mapping[str, Any], name: str) -> Any:
    """The value of the claim that ``name`` stands for; None if there is none."""
    if not name:
        return None
    if name.startswith("/"):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in name[1:].split("/")]
    elif name in claims:
        return claims[name]
    else:
        steps = name.split(".")
    value: Any = claims
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """``scope`` (RFC 9068 §2.2.3), or ``scp`` as Entra ID (text) and Okta (list) have it."""
    value = claims.get("scope", claims.get("scp", ""))
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(item for item in value if isinstance(item, str))
    return frozenset()


def client(claims: Mapping[str, Any]) -> str:
    """Whom the token was issued to: RFC 9068 first, then what others call it. Empty if nothing says so."""
    for name in ("client_id", "azp", "cid", "appid"):
        value = claims.get(name)
        if isinstance(value, str) and value:
            return value[:_MAX_TEXT]
    return ""


def _required(claims: Mapping[str, Any], name: str) -> str:
    value = find(claims, name)
    return text({name: value}, name, _MAX_TEXT)


def short(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is a printable text of sane size, else nothing."""
    value = find(claims, name)
    printable = isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()
    return value.strip() if printable else ""


def _verified(claims: Mapping[str, Any], names: ClaimNames) -> bool:
    said = find(claims, names.email_verified) if names.email_verified else True
    return said is True or said == "true"  # some providers write the flag as a text


def group_names(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Groups out of a text or a list of texts. Raises ``ForeignTokenInvalid`` for anything else."""
    value = find(claims, name)
    if value is None:
        return frozenset()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_GROUPS:
        # Cutting the list would take rights away from some and not from others, by chance.
        raise ForeignTokenInvalid(
            "the token cannot be accepted", f"{name} is not a list of at most {MAX_GROUPS}"
        )
    return frozenset(
        item for item in values if isinstance(item, str) and 0 < len(item) <= MAX_GROUP and item.isprintable()
    )
