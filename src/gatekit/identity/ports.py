"""What the authorization endpoint may ask of a provider, and what providers ask of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct

from gatekit.model.people import ExternalIdentity, Principal, User


class Leg(Struct, frozen=True):
    """One trip to an identity provider. ``secret`` must come back unchanged, and only to the same browser."""

    url: str
    """Where to send the browser."""
    secret: str
    """JSON: state, PKCE verifier, nonce; the caller seals and stores it."""
    form: tuple[tuple[str, str], ...] = ()
    """Fields that the browser posts there; empty: it only goes there."""


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


@runtime_checkable
class PostingProvider(RedirectProvider, Protocol):
    """One whose answer the browser posts to us from the provider's page (SAML). ``complete`` is given that
    form's fields."""

    @property
    def answer_field(self) -> str:
        """The form field that holds the answer …"""
        ...

    @property
    def state_field(self) -> str:
        """… and the one that holds the state of the leg."""
        ...

    def unasked(self) -> Leg | None:
        """The leg of an answer to no question, which leads nowhere; None where such answers are refused."""
        ...


class Ended(Struct, frozen=True, kw_only=True):
    """What a provider says has ended, verified."""

    sessions: tuple[str, ...]
    """As ``ExternalIdentity.session`` had them."""
    issuer: str = ""
    subject: str = ""
    """Whose sessions have all ended; empty: only those above."""
    answer: object = None
    """What ``receipt`` needs."""


UPSTREAM = "identity-upstream"
"""Purpose under which ``ExternalIdentity.upstream`` is sealed."""


@runtime_checkable
class LogoutPartner(Protocol):
    """A provider that publishes our side of the agreement, and that ends sessions with us (SAML)."""

    async def metadata(self) -> bytes:
        """Ours, for the provider to import."""
        ...

    async def ended(self, query: str) -> Ended:
        """Read a logout request; ``query`` as it came. Raises ``ProviderFailed``."""
        ...

    async def receipt(self, asked: object, *, complete: bool) -> str:
        """Where the browser goes with the answer to it. Raises ``ProviderFailed``."""
        ...

    async def leave(self, upstream: str) -> str:
        """Where the browser goes to end the session at the provider as well; empty: nowhere, because the
        operator does not want it or the provider has no such place.

        Raises ``ProviderFailed``.
        """
        ...

    async def left(self, query: str) -> None:
        """Check the provider's receipt. Raises ``ProviderFailed``."""
        ...


@runtime_checkable
class LogoutPlace(Protocol):
    """A provider with a place where browsers sign out (OpenID Connect RP-Initiated Logout)."""

    async def leave_to(self, upstream: str, back: str, state: str) -> str:
        """Where the browser goes; it comes back to ``back`` with ``state``. Empty: nowhere, because the
        operator does not want it or the provider has no such place.

        Raises ``ProviderFailed``.
        """
        ...


class Replays(Protocol):
    """``store.ports.Replays``."""

    async def first(self, purpose: str, key: str, expires_at: int, now: int) -> bool: ...


@runtime_checkable
class BackchannelPartner(Protocol):
    """A provider that tells us of a sign-out without a browser (OpenID Connect Back-Channel Logout)."""

    async def logged_out(self, logout_token: str, replays: Replays) -> Ended:
        """Raises ``ForeignTokenInvalid``, ``ProviderFailed`` (it cannot be judged now), ``StoreError``."""
        ...


@runtime_checkable
class Tended(Protocol):
    """A provider that has something to look after in the background."""

    async def tend(self) -> None: ...


@runtime_checkable
class Noticing(Protocol):
    """A provider that knows what administrators should look after before it ends."""

    def notices(self) -> list[str]:
        """In words, of what is known now: no network. Raises nothing."""
        ...


@runtime_checkable
class Recheck(Protocol):
    """A provider that can be asked whether somebody still counts, without their browser."""

    async def ask_again(self, upstream: str) -> ExternalIdentity:
        """``upstream``: what ``ExternalIdentity.upstream`` held the last time; the answer holds the next.

        Raises ``SignInRefused`` (it says no: what the person was granted ends) or ``ProviderFailed`` (it
        could not be asked, which says nothing about the person; checklist F7).
        """
        ...


class PasswordProvider(Protocol):
    """A provider with a user name and a password (the local store, LDAP)."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str:
        """Whose password it asks for: ``Example Corp``; empty for accounts of the gateway itself."""
        ...

    async def authenticate(self, username: str, password: str, address: str) -> User:
        """Raises ``SignInRefused`` with one and the same public text whatever was wrong."""
        ...


class Admission(Protocol):
    """The gateway-wide gate: may this person come in at all?  Implemented by ``policy``."""

    def admits(self, principal: Principal) -> bool: ...
