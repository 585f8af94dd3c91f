"""How an LDAP directory is asked about people."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from gatekit.model.connections import ConnectionRules, Kind

DirectoryPreset = Literal["openldap", "active_directory", "freeipa"]
"""Whose filters and attributes are taken where none are written."""

Nesting = Literal["none", "walk", "chain"]
"""Groups in groups: not looked at; asked for level by level; or asked of Active Directory in one search."""


class UserSearch(Struct, frozen=True, kw_only=True):
    """How a person is found. ``{login}`` in the filter stands for the escaped name."""

    base: str
    filter: str = "(&(objectClass=person)(uid={login}))"
    subject: str = "entryUUID"
    """The attribute that stays the same for ever and is never given to somebody else."""
    login: str = "uid"
    email: str = "mail"
    display_name: str = "cn"


class GroupSearch(Struct, frozen=True, kw_only=True):
    """How the groups of a person are found. ``{dn}`` and ``{login}`` stand for the escaped values."""

    base: str
    filter: str = "(&(objectClass=groupOfNames)(member={dn}))"
    name: str = "cn"
    nesting: Nesting = "none"


class LdapConnection(Struct, frozen=True, kw_only=True):
    """One directory, perhaps on several hosts. Times in seconds."""

    kind: ClassVar[Kind] = "ldap"
    name: str
    title: str
    urls: tuple[str, ...]
    """Tried in order."""
    users: UserSearch
    group_search: GroupSearch | None = None
    start_tls: bool = True
    """For ``ldap://``: go on only after StartTLS. ``ldaps://`` is always TLS."""
    ca_file: str = ""
    """PEM file of the authorities that are believed; empty: those of the system."""
    bind_dn: str = ""
    """The account that searches; empty: anonymous."""
    bind_password: str = ""
    verified_email: bool = False
    """Whether the directory's addresses count as verified: only if people cannot write their own."""
    timeout: float = 5.0
    rules: ConnectionRules = ConnectionRules()

    def __repr__(self) -> str:
        """Without the password: a repr ends up in logs and tracebacks."""
        return f"LdapConnection(name={self.name!r}, urls={self.urls!r}, bind_dn={self.bind_dn!r})"
