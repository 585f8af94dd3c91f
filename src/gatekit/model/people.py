"""Who asks: the stored rows and the Principal that the data plane sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

LOCAL = "local"
"""Name of the embedded connection: accounts with a password in Gatekit's own store."""

SERVICE = "client"
"""Stands where a connection stands for principals that are clients acting for themselves."""

SERVICE_ACCOUNT = "service"
"""Stands where a connection stands for service accounts: no sign-in, only API keys that an admin made."""


def service_account_name(name: str) -> str:
    """Username of a service account. No person can have one with a colon."""
    return f"{SERVICE_ACCOUNT}:{name}"


PROVISIONED = "scim"
"""Issuer of the identity that a person has who was provisioned and has not signed in yet. Its subject is an
id of ours; no provider may use this name as its issuer."""

Role = Literal["member", "auditor", "admin", "owner"]
"""What somebody may do to others, each more than the one before it. ``admin.permissions`` says what."""

ROLES: tuple[Role, ...] = ("member", "auditor", "admin", "owner")
"""Lowest first."""


def service_name(client_id: str) -> str:
    """What such a client is called: in access lists, in the audit, on the command line."""
    return f"{SERVICE}:{client_id.lower()}"


class User(Struct, frozen=True, kw_only=True):
    """A stored person. Identity is (connection, issuer, subject), never an e-mail address or a login.

    These three are the home identity; ``Identity`` rows are all ways in which the person signs in, this one
    among them.
    """

    id: str
    connection: str
    issuer: str
    subject: str
    username: str
    """What the person is called here and in the audit; unique over all connections, lower case."""
    login: str = ""
    """The name at the provider; may change there, so it is refreshed at each sign-in and never a key."""
    email: str | None = None
    email_verified: bool = False
    display_name: str = ""
    disabled: bool = False
    created_at: int = 0
    updated_at: int = 0
    last_seen_at: int | None = None
    role: Role = "member"


class Identity(Struct, frozen=True, kw_only=True):
    """One way of signing in, and what its provider said the last time."""

    user_id: str
    connection: str
    issuer: str
    subject: str
    login: str = ""
    email: str | None = None
    email_verified: bool = False
    created_at: int = 0
    last_seen_at: int | None = None
    upstream_sealed: str = ""
    """What the provider needs to be asked again, sealed."""


class PeopleQuery(Struct, frozen=True, kw_only=True):
    """Which people, by username. Everything that is named must hold."""

    after: str = ""
    """Username that the page before ended with."""
    limit: int = 100
    text: str = ""
    """Part of the username, the login, the address or the display name; A–Z match a–z."""
    connection: str = ""
    role: Role | None = None
    disabled: bool | None = None
    group: str = ""
    """Direct members of a group …"""
    source: str = LOCAL
    """… of this source."""


class Alias(Struct, frozen=True, kw_only=True):
    """Somebody who became another person when the two were merged. Records keep the old id."""

    old_id: str
    username: str
    user_id: str
    """Who they are now."""
    merged_at: int


class Pseudonym(Struct, frozen=True, kw_only=True):
    """Stands for somebody who was deleted and asked to be forgotten; the name itself is not kept here."""

    user_id: str
    name: str
    digests: tuple[str, ...]
    """Salted hashes of what the person was called."""
    created_at: int


class PersonWrite(Struct, frozen=True, kw_only=True):
    """One person of a batch that is written as a whole."""

    user: User
    new: bool = False
    groups: tuple[str, ...] | None = None
    """Local groups, and no others; None: as they are."""


class Group(Struct, frozen=True, kw_only=True):
    """A group of our own (``source`` is ``local``), or one that a provider provisioned.

    Groups that a provider only names at sign-in have memberships and no row.
    """

    id: str
    name: str
    """Unique within its source. Of our own: letters, digits and ``. _ -``; of a provider: any text up to 256
    characters without control characters."""
    title: str = ""
    source: str = LOCAL
    external_id: str = ""
    """The provider's id of it."""
    created_at: int = 0
    updated_at: int = 0


class GroupQuery(Struct, frozen=True, kw_only=True):
    """Which groups: our own first, then by source and name."""

    after: tuple[str, str] = ("", "")
    """(source, name) that the page before ended with; empty: from the beginning."""
    limit: int = 100
    text: str = ""
    """Part of the name or the title; A–Z match a–z."""


class GroupLine(Struct, frozen=True, kw_only=True):
    """One group in a list; groups without a row among them."""

    source: str
    name: str
    title: str
    size: int
    """Direct members."""


class GroupWrite(Struct, frozen=True, kw_only=True):
    """One local group of a batch that is written as a whole. What is None stays as it is."""

    group: Group
    new: bool = False
    members: tuple[str, ...] | None = None
    """Ids of people."""
    children: tuple[str, ...] | None = None
    rule: tuple[str, ...] | None = None


class GroupRule(Struct, frozen=True, kw_only=True):
    """Whoever a selector names is in the local group ``group``."""

    group: str
    selectors: tuple[str, ...]
    """As in the file: ``okta:ada``, ``group:okta/Engineering``, ``ada@example.com``."""


class Membership(Struct, frozen=True, kw_only=True):
    """One person in one group. ``source`` is ``local`` or the connection that asserted it."""

    user_id: str
    group: str
    source: str = LOCAL


class Invite(Struct, frozen=True, kw_only=True):
    """A one-time link with which a person sets the first (or a new) password. Stored as a hash."""

    token_hash: str
    user_id: str
    created_at: int
    expires_at: int
    used_at: int | None = None


class Principal(Struct, frozen=True, kw_only=True):
    """Who asks. ``groups`` holds groups of our own only (store and file).

    What a provider asserts stays in ``provider_groups``: anybody can found an organisation called ``sre`` at
    GitHub, and must not thereby enter our group of that name.
    """

    id: str
    username: str
    connection: str
    login: str = ""
    email: str | None = None
    email_verified: bool = False
    display_name: str = ""
    subject: str = ""
    """The identity provider's own id of the person; empty for local accounts."""
    groups: frozenset[str] = frozenset()
    provider_groups: frozenset[str] = frozenset()
    """As the provider of ``connection`` asserted them: GitHub ``acme`` (organisation) and ``acme/platform``
    (team)."""
    logins: frozenset[tuple[str, str]] = frozenset()
    """(connection, login) of every way in which the person signs in."""
    linked_groups: frozenset[tuple[str, str]] = frozenset()
    """(connection, group): what the providers of linked identities asserted. Apart from ``provider_groups``,
    so that no provider speaks for another."""
    role: Role = "member"
    """Of their row; the file may say more."""

    @property
    def asserted_groups(self) -> frozenset[tuple[str, str]]:
        """(connection, group) of everything that any provider asserted."""
        return self.linked_groups.union((self.connection, name) for name in self.provider_groups)


class ExternalIdentity(Struct, frozen=True, kw_only=True):
    """What an identity provider asserted about one person at one sign-in."""

    connection: str
    issuer: str
    subject: str
    login: str
    email: str | None
    email_verified: bool
    display_name: str = ""
    provider_groups: frozenset[str] = frozenset()
    attributes: Mapping[str, tuple[str, ...]] = {}
    """What the provider said, for mapping rules and their preview; never stored as a whole."""
    upstream: str = ""
    """What it needs to be asked again: a refresh token, an LDAP DN. A secret; sealed before it is stored."""
    amr: tuple[str, ...] = ()
    """How the person showed there who they are (RFC 8176); names that are registered, and no others."""
    session: str = ""
    """Its own id of the sign-in (OIDC ``sid``, SAML ``SessionIndex``), for a logout that begins there."""


class BrowserSession(Struct, frozen=True, kw_only=True):
    """The login cookie's row. The cookie value is stored as a hash."""

    token_hash: str
    user_id: str
    auth_time: int
    created_at: int
    expires_at: int
    ended_at: int | None = None
    address: str = ""
    """Network peer that signed in, and what its browser calls itself: for the person, to recognise it."""
    agent: str = ""
    connection: str = ""
    """Which way the person came in, and what its provider calls that sign-in: for a logout that begins
    there. Empty: from before this was kept, or not said."""
    provider_session: str = ""
    amr: str = ""
    """How the person showed who they are, with spaces (RFC 8176): ``pwd otp mfa``. Empty: nobody said."""
