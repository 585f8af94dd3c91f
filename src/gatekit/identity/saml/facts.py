"""From what was accepted to an ``ExternalIdentity``: which name is the person, which attributes say what."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from gatekit.errors import SamlRefused
from gatekit.identity.saml.names import EMAIL, PERSISTENT, TRANSIENT
from gatekit.identity.saml.response import Accepted, Name
from gatekit.model.connections import AttributeNames
from gatekit.model.people import ExternalIdentity

BY_PERSISTENT, BY_NAME_ID = "persistent", "name_id"
MAX_GROUP = 256
MAX_SUBJECT = 1024
MAX_SHOWN = 200

_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_MICROSOFT = "http://schemas.microsoft.com/"
LOGIN = ("uid", "urn:oid:0.9.2342.19200300.100.1.1", "username", f"{_CLAIMS}upn", f"{_CLAIMS}name")
ADDRESS = ("mail", "email", "urn:oid:0.9.2342.19200300.100.1.3", f"{_CLAIMS}emailaddress")
DISPLAY = (
    "displayName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    f"{_MICROSOFT}identity/claims/displayname",
    "name",
)
GROUPS = (
    "groups",
    "memberOf",
    f"{_MICROSOFT}ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
)
"""Names under which the well-known providers send things; the first that is there counts. ``map:`` of the
connection names others."""


class Upstream(Struct, frozen=True):
    """What a logout at the provider needs to know; sealed beside the identity."""

    name_id: str
    name_format: str


_AS_KNOWN = AttributeNames()


def identity_of(
    accepted: Accepted,
    connection: str,
    subject: str,
    *,
    verified: bool,
    names: AttributeNames = _AS_KNOWN,
) -> ExternalIdentity:
    """``subject``: ``persistent``, ``name_id`` or the name of an attribute. ``verified``: whether the
    operator says that people cannot set their own address there. ``names``: attributes that count instead of
    the well-known ones. Raise ``SamlRefused``."""
    who = _subject(accepted, subject)
    address = _first(accepted, names.email, ADDRESS)
    if not address and not names.email and accepted.name.format == EMAIL:
        address = accepted.name.value
    return ExternalIdentity(
        connection=connection,
        issuer=accepted.issuer,
        subject=who,
        login=_first(accepted, names.login, LOGIN) or address or who,
        email=address or None,
        email_verified=bool(address) and verified,
        display_name=_first(accepted, names.display_name, DISPLAY),
        provider_groups=frozenset(name for name in _all(accepted, names.groups, GROUPS) if _is_group(name)),
        attributes=accepted.attributes,
        upstream=msgspec.json.encode(Upstream(accepted.name.value, accepted.name.format)).decode(),
        session=session_key(accepted.name, accepted.session_index),
    )


def session_key(name: Name, index: str) -> str:
    """Under which a sign-in is found again when the provider ends it. Of name and index together: providers
    may use small or constant indices so as to tell nothing (SAML Core §2.7.2)."""
    return sha256("\0".join((name.format, name.value, index)).encode()).hexdigest()


def _subject(accepted: Accepted, rule: str) -> str:
    name = accepted.name
    if rule == BY_PERSISTENT:
        if name.format != PERSISTENT:
            raise SamlRefused(
                "subject", f"NameID is {name.format!r}, not persistent; set `subject` or change the provider"
            )
        found = name.value
    elif rule == BY_NAME_ID:
        if name.format == TRANSIENT:  # another one at each sign-in: everybody would be new each time
            raise SamlRefused("subject", "NameID is transient, so it says nobody")
        found = name.value
    else:
        values = accepted.attributes.get(rule, ())
        if len(values) != 1:
            raise SamlRefused("subject", f"the attribute {rule[:100]!r} has {len(values)} values, not one")
        found = values[0]
    if not found or len(found) > MAX_SUBJECT:
        raise SamlRefused("subject", "the subject is empty or too long")
    return found


def _all(accepted: Accepted, chosen: str, known: Sequence[str]) -> tuple[str, ...]:
    names = (chosen,) if chosen else known
    return next((found for name in names if (found := accepted.attributes.get(name))), ())


def _first(accepted: Accepted, chosen: str, known: Sequence[str]) -> str:
    """The only value; several are no answer, and the first of several would be the sender's choice."""
    found = _all(accepted, chosen, known)
    return found[0][:MAX_SHOWN] if len(found) == 1 and found[0].isprintable() else ""


def _is_group(name: str) -> bool:
    return 0 < len(name) <= MAX_GROUP and name.isprintable()
