"""Finds people and their groups over one connection. Blocking, like ``wire``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gatekit.errors import DirectoryRefused
from gatekit.identity.ldap.entries import STATE_ATTRIBUTES, Entry, subject_filter
from gatekit.identity.ldap.filters import filled
from gatekit.model.directory import GroupSearch, LdapConnection

MAX_GROUPS = 1000
MAX_DEPTH = 10

IN_CHAIN = "1.2.840.113556.1.4.1941"
"""LDAP_MATCHING_RULE_IN_CHAIN of Active Directory (MS-ADTS §3.1.1.3.4.4)."""

EVERYTHING = ("*", "+")
"""All attributes of people and all operational ones (RFC 4511 §4.5.1.8, RFC 3673): entryUUID is one."""


class Link(Protocol):
    """``wire.Link``."""

    def bind(self, dn: str, password: str) -> None: ...

    def nobody(self) -> None: ...

    def search(self, base: str, filter: str, attributes: Sequence[str], limit: int) -> list[Entry]: ...


class Found(Struct, frozen=True):
    """A person's entry and the names of their groups."""

    entry: Entry
    groups: frozenset[str]


def enter(link: Link, settings: LdapConnection) -> None:
    """Be the account that searches. Raises ``DirectoryRefused`` naming it: that is for the operator."""
    if not settings.bind_dn:
        link.nobody()  # not whoever was bound before
        return
    try:
        link.bind(settings.bind_dn, settings.bind_password)
    except DirectoryRefused as error:
        raise DirectoryRefused(f"the account {settings.bind_dn} is not let in: {error}") from None


def by_login(link: Link, settings: LdapConnection, login: str) -> Entry | None:
    """The one entry for a name; None for no entry and for several: which of them is meant is a guess."""
    return _only(link, settings, filled(settings.users.filter, login=login))


def by_subject(link: Link, settings: LdapConnection, subject: str) -> Entry | None:
    try:
        return _only(link, settings, subject_filter(settings.users.subject, subject))
    except ValueError:  # the operator chose another attribute since
        return None


def groups_of(link: Link, settings: LdapConnection, entry: Entry) -> frozenset[str]:
    """Names of the groups below the group base, those that are reached through other groups included."""
    search = settings.group_search
    if search is None:
        return frozenset()
    login = entry.first(settings.users.login)
    template = search.filter
    if search.nesting == "chain":
        template = template.replace("(member=", f"(member:{IN_CHAIN}:=")
    direct = _groups(link, search, filled(template, login=login, dn=entry.dn))
    if search.nesting != "walk":
        return frozenset(direct.values())
    return frozenset(_walk(link, search, direct).values())


def _walk(link: Link, search: GroupSearch, direct: dict[str, str]) -> dict[str, str]:
    """Level by level, each group once: directories have circles."""
    every = dict(direct)
    level = list(direct)
    for _ in range(MAX_DEPTH):
        above: dict[str, str] = {}
        for dn in level:
            above |= _groups(link, search, filled(search.filter, dn=dn))
            if len(every) + len(above) > MAX_GROUPS:
                return every
        level = [dn for dn in above if dn not in every]
        if not level:
            break
        every |= above
    return every


def _groups(link: Link, search: GroupSearch, filter: str) -> dict[str, str]:
    """DN in lower case → name."""
    found = link.search(search.base, filter, (search.name,), MAX_GROUPS)
    named = ((entry.dn.lower(), entry.first(search.name)) for entry in found)
    return {dn: name for dn, name in named if name}


def _only(link: Link, settings: LdapConnection, filter: str) -> Entry | None:
    wanted = (*EVERYTHING, settings.users.subject, *STATE_ATTRIBUTES)
    found = link.search(settings.users.base, filter, wanted, 2)
    return found[0] if len(found) == 1 else None
