"""The embedded connection: accounts with a password in Gatekit's own store.

There is no sign-up. An administrator creates the person and hands out a one-time link (``Invitations``).
Whatever is wrong with an attempt, the answer is the same in text, status and time (checklist U1).
"""

from __future__ import annotations

from collections import OrderedDict

from gatekit.errors import ProviderFailed, SignInRefused, StoreError
from gatekit.identity.backoff import Allowance, Backoff, network_of
from gatekit.identity.names import MAX_USERNAME, canonical_username
from gatekit.identity.passwords import PasswordHasher, check_password
from gatekit.model.people import LOCAL, User
from gatekit.model.ports import Clock
from gatekit.platform.vault import token_hash
from gatekit.store.browser_ports import BrowserSessions
from gatekit.store.ports import Invites, Users

__all__ = ["Invitations", "LocalPasswords", "PasswordHasher"]

REFUSED = (
    "That username and password do not fit together. After several wrong attempts, wait a few minutes before "
    "the next one."
)
DEAD_LINK = "This link was used already or is too old. Ask whoever sent it for a new one."

PER_ACCOUNT_AND_PLACE = Allowance(free=5)
PER_PLACE = Allowance(free=100)
"""More than the password queue holds: who waits to be checked counts too, and an office has one address."""
PER_ACCOUNT = Allowance(free=30, longest=60.0)
"""Guesses from many places. Looser and shorter than the other two: a stranger must not be able to lock
somebody out for good by guessing wrong on purpose."""

MAX_PROVEN = 10_000


class LocalPasswords:
    """Implements ``identity.ports.PasswordProvider``."""

    def __init__(self, users: Users, hasher: PasswordHasher, clock: Clock) -> None:
        self._users = users
        self._hasher = hasher
        self._clock = clock
        self._pairs = Backoff(PER_ACCOUNT_AND_PLACE, clock)
        self._places = Backoff(PER_PLACE, clock)
        self._accounts = Backoff(PER_ACCOUNT, clock)
        self._proven: OrderedDict[str, None] = OrderedDict()
        """Account and place of past successes."""

    @property
    def name(self) -> str:
        return LOCAL

    async def authenticate(self, username: str, password: str, address: str) -> User:
        """The person whose password it is. ``address`` is the network peer.

        Raises ``SignInRefused`` (always ``REFUSED``; the reason is in ``detail``), ``ProviderFailed`` when
        the password queue is full, ``StoreError``.
        """
        name = canonical_username(username[: 4 * MAX_USERNAME])
        kept = self._keys(name, address)
        # Failures are counted for names that do not exist as well, so waiting tells nothing about a name.
        if wait := self._wait(kept):
            raise SignInRefused(REFUSED, f"too many failures for {name!r} from {address}, wait {wait:.0f} s")
        for backoff, key in kept:
            backoff.failed(key)
        try:
            user, reason = await self._check(name, password)
        except (ProviderFailed, StoreError):  # nobody looked at the password, so nobody has guessed
            for backoff, key in kept:
                backoff.forgive(key)
            raise
        if user is None:
            raise SignInRefused(REFUSED, f"{reason}: {name!r} from {address}")
        self._pairs.clear(kept[0][1])
        self._places.forgive(kept[1][1])
        self._accounts.forgive(kept[2][1])
        self._remember(kept[0][1])
        return user

    def _keys(self, name: str, address: str) -> tuple[tuple[Backoff, str], ...]:
        place = network_of(address)
        return (self._pairs, f"{name}\0{place}"), (self._places, place), (self._accounts, name)

    def _wait(self, kept: tuple[tuple[Backoff, str], ...]) -> float:
        # Where somebody signed in before, strangers' guesses from elsewhere do not lock them out.
        counted = kept[:2] if kept[0][1] in self._proven else kept
        return max(backoff.wait(key) for backoff, key in counted)

    def _remember(self, pair: str) -> None:
        self._proven[pair] = None
        self._proven.move_to_end(pair)
        while len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)

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
