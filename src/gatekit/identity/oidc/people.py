"""A person out of the claims of an OpenID provider.

Who somebody is: the issuer and an id that never goes to somebody else. For most that is ``sub``; Entra ID's
``sub`` differs from application to application, so there it is the tenant (in the issuer) and ``oid``. Never
an e-mail address: at Entra ID the administrator of any tenant in the world writes into it what they like
(checklist F1, "nOAuth").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekit.errors import ForeignTokenInvalid, SignInRefused
from gatekit.identity.claims import find, group_names, short
from gatekit.model.connections import OidcConnection
from gatekit.model.factors import METHODS
from gatekit.model.people import PROVISIONED, ExternalIdentity
from gatekit.platform.foreign import text

MAX_ATTRIBUTES = 200
MAX_VALUES = 1000
MAX_VALUE = 256
MAX_SUBJECT = 255
"""OpenID Connect Core §2: ``sub`` must not exceed 255 characters."""

_LOGIN = {"google": "email", "entra": "preferred_username", "okta": "preferred_username"}
"""Where the kind itself says that nobody chooses it freely. Elsewhere people may pick it themselves (OpenID
Connect Core §5.7), so it counts only if the operator says so with ``map.login``."""


def identity(
    connection: OidcConnection, claims: Mapping[str, Any], groups: frozenset[str] | None = None
) -> ExternalIdentity:
    """``groups``: asked for elsewhere, instead of the claim. Raises ``ForeignTokenInvalid``,
    ``SignInRefused``."""
    names = connection.rules.names
    subject = _subject(connection, claims)
    email = short(claims, names.email or "email") or None
    verified = email is not None and _verified(connection, claims)
    login = short(claims, names.login or _LOGIN.get(connection.kind, "sub"))
    if connection.kind == "google" and not names.login and not verified:
        login = ""
    _check_organisation(connection, claims, login or subject)
    return ExternalIdentity(
        connection=connection.name,
        issuer=str(claims["iss"]),
        subject=subject,
        login=login or subject,
        email=email,
        email_verified=verified,
        display_name=short(claims, names.display_name or "name"),
        provider_groups=group_names(claims, names.groups or "groups") if groups is None else groups,
        attributes=attributes(claims),
        amr=_methods(claims.get("amr")),
        session=short(claims, "sid"),
    )


def attributes(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Claims as names with texts, for mapping rules and their preview. Bounded; what is too long is left out
    and never cut, because a part of a name may be another name."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in list(claims.items())[:MAX_ATTRIBUTES]:
        values = value if isinstance(value, list) else [value]
        words = [_word(item) for item in values]
        if len(name) <= MAX_VALUE and len(words) <= MAX_VALUES:
            found[name] = tuple(word for word in words if len(word) <= MAX_VALUE)
    return found


def _methods(value: object) -> tuple[str, ...]:
    """OpenID Connect Core §2: an array of strings; what we would not say ourselves is left out."""
    if not isinstance(value, list):
        return ()
    return tuple(sorted({word for word in value if isinstance(word, str)} & METHODS))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _subject(connection: OidcConnection, claims: Mapping[str, Any]) -> str:
    if claims.get("iss") == PROVISIONED:
        raise ForeignTokenInvalid("the token cannot be accepted", "an issuer of that name is ours")
    subject = text(claims, "oid" if connection.kind == "entra" else "sub", MAX_SUBJECT)
    if not subject.isprintable():
        raise ForeignTokenInvalid("the token cannot be accepted", "the subject holds control characters")
    return subject


def _verified(connection: OidcConnection, claims: Mapping[str, Any]) -> bool:
    if connection.trust_email:
        return True
    if connection.rules.names.email not in ("", "email"):
        return False  # what the provider says about its own claim says nothing about another one
    if connection.kind == "entra":
        # ``email_verified`` does not exist there; this optional claim says that the tenant owns the domain.
        said = find(claims, "xms_edov")
        return said is True or said in ("true", "1") or (said == 1 and not isinstance(said, bool))
    said = find(claims, "email_verified")
    return said is True or said == "true"  # some providers write the flag as a text


def _check_organisation(connection: OidcConnection, claims: Mapping[str, Any], who: str) -> None:
    """Google: an account belongs to an organisation if ``hd`` says so; the address proves nothing, because
    anybody can have a private account with it."""
    wanted = connection.hosted_domains
    if not wanted:
        return
    said = claims.get("hd")
    if not isinstance(said, str) or said.lower() not in wanted:
        raise SignInRefused(
            f"You are {who[:100]} at {connection.title}, but not in an organisation that may sign in here. "
            "Choose another account.",
            f"{connection.name}: hd is {str(said)[:100]!r}",
        )
