"""Signs people in with their directory's password, and asks the directory again at refresh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from gatekit.errors import DirectoryRefused, LdapError, ProviderFailed, SignInRefused
from gatekit.identity.attempts import REFUSED, Attempts
from gatekit.identity.ldap import lookup
from gatekit.identity.ldap.entries import Entry, subject_of, why_disabled
from gatekit.identity.ldap.filters import canonical_login
from gatekit.identity.ldap.lookup import Found, Link
from gatekit.identity.ldap.servers import Servers
from gatekit.identity.passwords import MAX_BYTES, normalised
from gatekit.identity.threads import Threads
from gatekit.model.directory import LdapConnection
from gatekit.model.people import ExternalIdentity, User
from gatekit.model.ports import Clock

ISSUER = "ldap"
"""The same for every server of a directory: hosts come and go, people stay."""

UNREACHABLE = (
    "The directory {title} cannot be reached at this moment. Try again in a few minutes; if it stays like "
    "this, tell whoever runs this gateway."
)
MISCONFIGURED = (
    "The directory {title} does not let this gateway look people up. Tell whoever runs it: nothing is wrong "
    "with your password."
)


class Connect(Protocol):
    """``wire.connected``."""

    def __call__(self, url: str, settings: LdapConnection) -> AbstractContextManager[Link]: ...


class Outcome(Struct, frozen=True):
    """What became of an attempt: a person, or why not."""

    found: Found | None
    reason: str = ""


class LdapPasswords:
    """Implements ``identity.ports.PasswordProvider`` and ``Recheck``."""

    def __init__(
        self,
        settings: LdapConnection,
        connect: Connect,
        admit: Callable[[ExternalIdentity], Awaitable[User]],
        attempts: Attempts,
        threads: Threads,
        clock: Clock,
    ) -> None:
        """``admit``: ``identity.mapping.Mapping.admit``. ``attempts`` and ``threads`` are shared."""
        self._settings = settings
        self._connect = connect
        self._admit = admit
        self._attempts = attempts
        self._threads = threads
        self._clock = clock
        self._servers = Servers(settings.urls, clock)

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def title(self) -> str:
        return self._settings.title

    async def authenticate(self, username: str, password: str, address: str) -> User:
        """The person whose password it is. ``address`` is the network peer.

        Raises ``SignInRefused`` (always the same text, unless the person is known and may not come in),
        ``ProviderFailed`` if the directory cannot be asked, ``StoreError``.
        """
        return await self._admit(await self.identify(username, password, address))

    async def identify(self, username: str, password: str, address: str) -> ExternalIdentity:
        """What the directory says about the person whose password it is; errors as for ``authenticate``."""
        login = canonical_login(username)
        if login is None or not _usable(password):
            # Not a guess at anybody, and the directory would count it as one or take it for "no password".
            raise SignInRefused(REFUSED, f"{self.name}: no usable name or password from {address}")
        attempt = self._attempts.begin(f"{self.name}\0{login}", address)
        try:
            plain = normalised(password).decode()
            outcome = await self._ask(lambda link: self._check(link, login, plain))
        except ProviderFailed:
            attempt.unjudged()
            raise
        if outcome.found is None:
            raise SignInRefused(REFUSED, f"{self.name}: {outcome.reason}: {login!r} from {address}")
        attempt.succeeded()
        return self._identity(outcome.found)

    async def ask_again(self, upstream: str) -> ExternalIdentity:
        """What the directory says today about the person whose subject is ``upstream``.

        Raises ``SignInRefused`` if they are gone or disabled there, ``ProviderFailed`` if nobody answered.
        """
        outcome = await self._ask(lambda link: self._look_up(link, upstream))
        if outcome.found is None:
            raise SignInRefused(
                "Your account is not active in the directory any more.", f"{self.name}: {outcome.reason}"
            )
        return self._identity(outcome.found)

    async def preview(self, login: str) -> ExternalIdentity:
        """What a sign-in of ``login`` would bring, without a password: for ``gatekit connections test``.

        Raises as ``ask_again`` does.
        """
        canonical = canonical_login(login) or ""
        outcome = await self._ask(
            lambda link: self._found(lookup.by_login(link, self._settings, canonical), link)
        )
        if outcome.found is None:
            raise SignInRefused(outcome.reason, f"{self.name}: {outcome.reason}")
        return self._identity(outcome.found)

    # -- blocking, in a thread ----------------------------------------------------------------------------

    def _check(self, link: Link, login: str, password: str) -> Outcome:
        entry = lookup.by_login(link, self._settings, login)
        try:
            # For nobody too: the directory's answer then takes about as long as for somebody (checklist U1).
            link.bind(entry.dn if entry else self._nobody(), password)
        except DirectoryRefused as error:
            return Outcome(None, f"the directory refuses the password ({error})")
        if entry is None:
            return Outcome(None, "no entry, or several")
        lookup.enter(link, self._settings)
        return self._found(entry, link)

    def _look_up(self, link: Link, subject: str) -> Outcome:
        return self._found(lookup.by_subject(link, self._settings, subject), link)

    def _found(self, entry: Entry | None, link: Link) -> Outcome:
        if entry is None:
            return Outcome(None, "no entry, or several")
        if not subject_of(entry, self._settings.users.subject):
            return Outcome(None, f"{entry.dn} has no {self._settings.users.subject} that could be read")
        if reason := why_disabled(entry, self._clock.now()):
            return Outcome(None, reason)
        return Outcome(Found(entry, lookup.groups_of(link, self._settings, entry)))

    def _nobody(self) -> str:
        return f"cn=gatekit-nobody,{self._settings.users.base}"

    # -- between threads and loop -------------------------------------------------------------------------

    async def _ask(self, work: Callable[[Link], Outcome]) -> Outcome:
        def at(url: str) -> Outcome:
            with self._connect(url, self._settings) as link:
                lookup.enter(link, self._settings)
                return work(link)

        try:
            return await self._threads.run(lambda: self._servers.ask(at))
        except DirectoryRefused as error:
            raise ProviderFailed(MISCONFIGURED.format(title=self.title), f"{self.name}: {error}") from None
        except LdapError as error:
            raise ProviderFailed(UNREACHABLE.format(title=self.title), f"{self.name}: {error}") from None

    def _identity(self, found: Found) -> ExternalIdentity:
        users = self._settings.users
        subject = subject_of(found.entry, users.subject)
        email = found.entry.first(users.email) or None
        return ExternalIdentity(
            connection=self.name,
            issuer=ISSUER,
            subject=subject,
            login=found.entry.first(users.login) or subject,
            email=email,
            email_verified=email is not None and self._settings.verified_email,
            display_name=found.entry.first(users.display_name),
            provider_groups=found.groups,
            attributes=found.entry.every(),
            upstream=subject,
        )


def _usable(password: str) -> bool:
    """Whether it may be sent to a directory at all (RFC 4513 §5.1.2, checklist U5)."""
    if not password.strip() or "\0" in password or len(password) > MAX_BYTES:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in password)
