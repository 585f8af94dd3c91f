"""Connections of the kind ``ldap``: an LDAP directory, Active Directory or FreeIPA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from gatekit.config import document as doc
from gatekit.config.addresses import is_loopback
from gatekit.config.provider_schema import LdapGroupsIn, LdapIn, LdapUsersIn
from gatekit.model.connections import AttributeNames, ConnectionRules
from gatekit.model.directory import DirectoryPreset, GroupSearch, LdapConnection, UserSearch

USERS: Mapping[DirectoryPreset, UserSearch] = {
    "openldap": UserSearch(base=""),
    "active_directory": UserSearch(
        base="",
        # People only, not the accounts of computers, which are users to Active Directory.
        filter="(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})))",
        subject="objectGUID",
        login="sAMAccountName",
        display_name="displayName",
    ),
    "freeipa": UserSearch(
        base="", filter="(&(objectClass=posixaccount)(uid={login}))", subject="ipaUniqueID"
    ),
}
GROUPS: Mapping[DirectoryPreset, GroupSearch] = {
    "openldap": GroupSearch(base=""),
    "active_directory": GroupSearch(base="", filter="(&(objectClass=group)(member={dn}))", nesting="chain"),
    "freeipa": GroupSearch(base="", filter="(&(objectClass=ipausergroup)(member={dn}))", nesting="walk"),
}

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


def resolve_ldap(
    name: str, keys: LdapIn, rules: ConnectionRules, path: doc.Path, document: doc.Document
) -> LdapConnection | None:
    """One connection; None after a fault that leaves nothing to work with."""
    if not keys.urls:
        document.fault((*path, "urls"), "is required: where the directory is, like [ldaps://dc1.example.com]")
    for index, url in enumerate(keys.urls):
        if why := _wrong(url, keys.start_tls):
            document.fault((*path, "urls", index), why)
    if (keys.bind_dn is None) != (keys.bind_password is None):
        missing = "bind_password" if keys.bind_password is None else "bind_dn"
        text = "is required beside the other: a name without a password would be nobody (RFC 4513 §5.1.2)"
        document.fault((*path, missing), text)
    if rules.names.groups:
        document.fault(
            (*path, "map", "groups"), "is not used by `type: ldap`; groups come from `group_search`"
        )
    users = _users(keys.directory, keys.users, rules.names, path, document)
    if not keys.urls or users is None:
        return None
    return LdapConnection(
        name=name,
        title=rules.title or name,
        urls=keys.urls,
        users=users,
        group_search=_groups(keys.directory, keys.group_search, (*path, "group_search"), document),
        start_tls=keys.start_tls,
        ca_file=keys.ca_file or "",
        bind_dn=keys.bind_dn or "",
        bind_password=keys.bind_password or "",
        verified_email=keys.verified_email,
        timeout=keys.timeout,
        rules=rules,
    )


def _wrong(url: str, start_tls: bool) -> str:
    """What is wrong with an address; empty if nothing is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not an address like ldaps://dc1.example.com"
    if parts.scheme not in ("ldap", "ldaps") or not host or parts.path.strip("/") or parts.query:
        return "expected ldaps://HOST or ldap://HOST, perhaps with a port"
    if parts.username or parts.password:
        return "must not hold a name or a password; they belong into bind_dn and bind_password"
    if parts.scheme == "ldap" and not start_tls and not is_loopback(host):
        return "would send passwords over the network in the clear: use ldaps:// or start_tls"
    return ""


def _users(
    preset: DirectoryPreset,
    written: LdapUsersIn,
    names: AttributeNames,
    path: doc.Path,
    document: doc.Document,
) -> UserSearch | None:
    place = (*path, "users")
    if written.base is None:
        document.fault(
            (*place, "base"), "is required: below which entry people are, like ou=people,dc=example,dc=com"
        )
        return None
    _check_filter(written.filter, ("{login}",), (*place, "filter"), document)
    _check_attribute(written.subject, (*place, "subject"), document)
    for key in ("login", "email", "display_name"):
        _check_attribute(getattr(names, key), (*path, "map", key), document)
    usual = USERS[preset]
    return UserSearch(
        base=written.base,
        filter=written.filter or usual.filter,
        subject=written.subject or usual.subject,
        login=names.login or usual.login,
        email=names.email or usual.email,
        display_name=names.display_name or usual.display_name,
    )


def _groups(
    preset: DirectoryPreset, written: LdapGroupsIn | None, place: doc.Path, document: doc.Document
) -> GroupSearch | None:
    if written is None:
        return None
    if written.base is None:
        document.fault(
            (*place, "base"), "is required: below which entry groups are, like ou=groups,dc=example,dc=com"
        )
    _check_filter(written.filter, ("{dn}", "{login}"), (*place, "filter"), document)
    _check_attribute(written.name, (*place, "name"), document)
    usual = GROUPS[preset]
    return replace(
        usual,
        base=written.base or "",
        filter=written.filter or usual.filter,
        name=written.name or usual.name,
        nesting=written.nesting or usual.nesting,
    )


def _check_filter(text: str | None, marks: tuple[str, ...], path: doc.Path, document: doc.Document) -> None:
    if text is None:
        return
    if not any(mark in text for mark in marks):
        # Without a place for the name everybody would be the same entry.
        document.fault(path, f"must hold {' or '.join(marks)}, which stands for whom it is about")
    elif not (text.startswith("(") and text.endswith(")")) or text.count("(") != text.count(")"):
        document.fault(path, "is not a filter: parentheses do not match (RFC 4515)")


def _check_attribute(text: str | None, path: doc.Path, document: doc.Document) -> None:
    if text and not _ATTRIBUTE.fullmatch(text):
        document.fault(path, "is not the name of an attribute, like entryUUID")
