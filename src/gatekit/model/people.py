"""Who asks: the stored rows and the Principal that the data plane sees."""

from __future__ import annotations

from msgspec import Struct

LOCAL = "local"
"""Name of the embedded connection: accounts with a password in Gatekit's own store."""

SERVICE = "client"
"""Stands where a connection stands for principals that are clients acting for themselves."""


def service_name(client_id: str) -> str:
    """What such a client is called: in access lists, in the audit, on the command line."""
    return f"{SERVICE}:{client_id.lower()}"


class User(Struct, frozen=True, kw_only=True):
    """A stored person. Identity is (connection, issuer, subject), never an e-mail address or a login."""

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
    """As the provider asserted them: GitHub ``acme`` (organisation) and ``acme/platform`` (team)."""


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
