"""The embedded connection: accounts with a password in Gatekit's own store.

There is no sign-up. An administrator creates the person and hands out a one-time link (``Invitations``).
Whatever is wrong with an attempt, the answer is the same in text, status and time (checklist U1).
"""

from __future__ import annotations

from gatekit.errors import ProviderFailed, SignInRefused, StoreError
from gatekit.identity.attempts import REFUSED, Attempts
from gatekit.identity.names import MAX_USERNAME, canonical_username
from gatekit.identity.passwords import PasswordHasher, check_password
from gatekit.model.people import LOCAL, User
from gatekit.model.ports import Clock
from gatekit.platform.vault import token_hash
from gatekit.store.browser_ports import BrowserSessions
from gatekit.store.people_ports import Invites, Users

__all__ = ["Invitations", "LocalPasswords", "PasswordHasher"]

DEAD_LINK = "This link was used already or is too old. Ask whoever sent it for a new one."


class LocalPasswords:
    """Implements ``identity.ports.PasswordProvider``."""

    def __init__(
        self,
        users: Users,
        hasher: PasswordHasher,
        clock: Clock,
        attempts: Attempts | None = None,
        title: str = "",
    ) -> None:
        """``attempts``: shared with other doors that take a password."""
        self._title = title
        self._users = users
        self._hasher = hasher
        self._clock = clock
        self._attempts = attempts or Attempts(clock)

    @property
    def name(self) -> str:
        return LOCAL

    @property
    def title(self) -> str:
        return self._title

    async def authenticate(self, username: str, password: str, address: str) -> User:
        """The person whose password it is. ``address`` is the network peer.

        Raises ``SignInRefused`` (always ``REFUSED``; the reason is in ``detail``), ``ProviderFailed`` when
        the password queue is full, ``StoreError``.
        """
        name = canonical_username(username[: 4 * MAX_USERNAME])
        attempt = self._attempts.begin(name, address)
        try:
            user, reason = await self._check(name, password)
        except (ProviderFailed, StoreError):
            attempt.unjudged()
            raise
        if user is None:
            raise SignInRefused(REFUSED, f"{reason}: {name!r} from {address}")
        attempt.succeeded()
        return user

    async def _check(self, name: str, password: str) -> tuple[User | None, str]:
        """The person, or None and why."""
        user = await self._users.by_username(name)
        stored = await self._users.password_hash(user.id if user is not None else "")
        if user is None or user.connection != LOCAL or stored is None:
            await self._hasher.waste(password)
            return None, "no such local account, or no password set"
        if not await self._hasher.verify(stored, password):
            return None, "wrong password"
        # Only now: the answer for a disabled person must take as long as any other.
        if user.disabled:
            return None, "account is disabled"
        if self._hasher.outdated(stored):
            renewed = await self._hasher.renew(password)
            await self._users.set_password(user.id, renewed, int(self._clock.now()))
        return user, ""


class Invitations:
    """One-time links with which a person chooses a first (or a new) password."""

    def __init__(
        self,
        users: Users,
        invites: Invites,
        hasher: PasswordHasher,
        clock: Clock,
        sessions: BrowserSessions | None = None,
    ) -> None:
        """With ``sessions``, a new password ends every sign-in that was made with the old one."""
        self._users = users
        self._invites = invites
        self._hasher = hasher
        self._clock = clock
        self._sessions = sessions

    async def invited(self, token: str) -> User | None:
        """Whom an unused, unexpired invite is for; None also for somebody who is disabled."""
        invite = await self._invites.get(token_hash(token), self._now())
        if invite is None:
            return None
        user = await self._users.get(invite.user_id)
        return user if user is not None and user.connection == LOCAL and not user.disabled else None

    async def accept(self, token: str, password: str) -> User:
        """Use the link up and set the password.

        Raises ``SignInRefused`` with what to show: the link is dead, or the password breaks a rule (the link
        then stays good).
        """
        check_password(password)
        user = await self.invited(token)
        if user is None:
            raise SignInRefused(DEAD_LINK, "unknown, used or expired invite")
        hashed = await self._hasher.hash(password)
        # Consumed last and by compare-and-swap: of two people with one link exactly one sets the password.
        if await self._invites.consume(token_hash(token), self._now()) is None:
            raise SignInRefused(DEAD_LINK, "invite was consumed meanwhile")
        now = self._now()
        await self._users.set_password(user.id, hashed, now)
        if self._sessions is not None:
            await self._sessions.end_all(user.id, now)
        return user

    def _now(self) -> int:
        return int(self._clock.now())
