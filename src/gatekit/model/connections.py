"""A connection: one way of signing in, and what is done with what comes over it.

The keys that every kind has in common. What one kind needs besides (a client secret, SAML metadata, the
address of a directory) stands in a struct of its own that holds a ``ConnectionRules``.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["local", "github", "google", "entra", "okta", "oidc", "saml", "ldap"]

PASSWORD_KINDS: frozenset[Kind] = frozenset(("local", "ldap"))
"""Kinds whose people type a password into a form of ours; the others' are sent to their provider."""


class Admit(Struct, frozen=True, kw_only=True):
    """Who may sign in over a connection. Nothing in it: everybody whom the provider knows. Else somebody who
    fits one of the entries, of whichever kind it is."""

    domains: tuple[str, ...] = ()
    """Domains of a verified e-mail address, lower case."""
    groups: tuple[str, ...] = ()
    """Groups as the provider names them."""


class AttributeNames(Struct, frozen=True, kw_only=True):
    """Which claim or attribute of the provider says what: a name, a dotted path, or a JSON pointer.
    Empty: as the kind of connection has it by itself."""

    login: str = ""
    """What access lists name after the connection (``okta:alice``). Never something that people can set."""
    email: str = ""
    display_name: str = ""
    groups: str = ""


class GroupRules(Struct, frozen=True, kw_only=True):
    """What becomes of the groups that a provider names."""

    mapped: tuple[tuple[str, str], ...] = ()
    """(group at the provider, local group): who is in the one is in the other, as long as it lasts."""
    keep: bool = True
    """Whether the provider's groups count as well, as ``group:CONNECTION/NAME``."""


class Provisioning(Struct, frozen=True, kw_only=True):
    """SCIM: the provider writes people and groups by itself."""

    token: str = ""
    """The bearer token that it uses; empty: only those that ``gatekit connections scim-token`` made."""
    match: str = ""
    """The claim of a sign-in that a provisioned person's ``externalId`` equals; empty: the subject."""

    def __repr__(self) -> str:
        """Without the token: a repr ends up in logs and tracebacks."""
        return f"Provisioning(match={self.match!r})"


class Signals(Struct, frozen=True, kw_only=True):
    """Security events that the provider pushes (RFC 8935; Shared Signals Framework)."""

    issuer: str
    """Exactly as it stands in ``iss`` of an event token: the transmitter's, often the provider's own."""
    audience: str
    """One of the values of ``aud``, as the stream was agreed."""
    jwks_uri: str
    """Where the transmitter publishes its keys."""


class ConnectionRules(Struct, frozen=True, kw_only=True):
    """Keys that every kind of connection has."""

    title: str = ""
    """For the sign-in button; empty: as the kind has it."""
    enabled: bool = True
    """False: nobody signs in over it, and nobody who did counts any more. The people stay."""
    domains: tuple[str, ...] = ()
    """E-mail domains that belong to it, lower case: the sign-in page leads their people here, and nobody
    comes in over it without a verified address in one of them."""
    admit: Admit = Admit()
    create: bool = True
    """Whether somebody who is seen for the first time becomes a person here."""
    link: bool = False
    """Whether a sign-in may be added to a person who is known by another connection (checklist F2)."""
    trusted_domains: tuple[str, ...] = ()
    """Domains whose addresses this provider is believed to verify, for ``link``."""
    names: AttributeNames = AttributeNames()
    groups: GroupRules = GroupRules()
    provisioning: Provisioning | None = None
    """None: off."""
    signals: Signals | None = None
    """None: no events are taken."""


SEALED = "connection"
"""Purpose, with the name, under which a ``StoredConnection`` is sealed."""


class StoredConnection(Struct, frozen=True, kw_only=True):
    """A connection that was added at run time."""

    name: str
    kind: Kind
    document_sealed: str
    """What was entered, as JSON, sealed: it holds secrets."""
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0


ClientAuth = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]


class OidcConnection(Struct, frozen=True, kw_only=True):
    """An OpenID provider found by discovery. Google, Entra ID and Okta are such providers with habits."""

    kind: Kind = "oidc"
    name: str
    issuer: str
    """Exactly as it stands in ``iss``. Entra ID with several tenants: with ``{tenantid}`` in it."""
    client_id: str
    client_secret: str = ""
    private_key: str = ""
    """PEM, for ``private_key_jwt``."""
    key_id: str = ""
    """Under which the provider knows that key; empty: the header does not say."""
    auth_method: ClientAuth | None = None
    """How we prove to be the client; None: by what the provider says it supports."""
    title: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    trust_email: bool = False
    """Whether an address counts as verified although the provider does not say so."""
    logout: bool = False
    """Whether who signs out here is signed out at the provider as well."""
    recheck: float = 0.0
    """Seconds between two questions at the provider whether somebody still counts; 0: it is not asked."""
    tenants: tuple[str, ...] = ()
    """Entra ID: ids of the tenants whose people may sign in."""
    hosted_domains: tuple[str, ...] = ()
    """Google: organisations (``hd``) whose people may sign in; empty: every Google account."""
    graph_url: str = ""
    """Entra ID: Microsoft Graph, for people with many groups."""
    rules: ConnectionRules = ConnectionRules()

    def __repr__(self) -> str:
        """Without secret and key: a repr ends up in logs and tracebacks."""
        return f"OidcConnection(name={self.name!r}, issuer={self.issuer!r}, client_id={self.client_id!r})"
