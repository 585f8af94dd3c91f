"""What the authorization endpoint may ask of a provider, and what providers ask of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from gatekit.model.people import ExternalIdentity, Principal, User


class Leg(Struct, frozen=True):
    """One trip to an identity provider. ``secret`` must come back unchanged, and only to the same browser."""

    url: str
    """Where to send the browser."""
    secret: str
    """JSON: state, PKCE verifier, nonce; the caller seals and stores it."""


class RedirectProvider(Protocol):
    """A provider that the browser is sent to (GitHub; OIDC and SAML later)."""

    @property
    def name(self) -> str:
        """Connection name, e.g. ``github``; part of the callback path ``/callback/<name>``."""
        ...

    @property
    def title(self) -> str:
        """For the button: ``GitHub``."""
        ...

    async def begin(self, callback_url: str) -> Leg:
        """Where the browser goes. May have to ask the provider first (discovery, metadata), or to load a key.

        Raises ``ProviderFailed``.
        """
        ...

    async def complete(self, params: Mapping[str, str], secret: str, callback_url: str) -> ExternalIdentity:
        """Check the callback against ``secret`` and ask the provider who it is.

        Raises ``SignInRefused`` (the person pressed cancel, is not allowed) or ``ProviderFailed``.
        """
        ...


class PasswordProvider(Protocol):
    """A provider with a user name and a password (the local store; LDAP later)."""

    @property
    def name(self) -> str: ...

    async def authenticate(self, username: str, password: str, address: str) -> User:
        """Raises ``SignInRefused`` with one and the same public text whatever was wrong."""
        ...


class Admission(Protocol):
    """The gateway-wide gate: may this person come in at all?  Implemented by ``policy``."""

    def admits(self, principal: Principal) -> bool: ...
