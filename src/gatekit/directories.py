"""Configuration → the providers that take a password: our own accounts and LDAP directories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from gatekit.config.model import Connection
from gatekit.errors import DirectoryRefused
from gatekit.identity.attempts import Attempts
from gatekit.identity.ldap.lookup import Link
from gatekit.identity.ldap.provider import LdapPasswords
from gatekit.identity.local import LocalPasswords
from gatekit.identity.passwords import PasswordHasher
from gatekit.identity.ports import PasswordProvider
from gatekit.identity.threads import Threads
from gatekit.model.directory import LdapConnection
from gatekit.model.people import ExternalIdentity, User
from gatekit.model.ports import Clock
from gatekit.store.people_ports import Users

WORKERS = 4
MAX_WAITING = 64


def ldap_threads() -> Threads:
    """Where the LDAP library blocks; whoever makes it closes it."""
    return Threads("ldap", WORKERS, MAX_WAITING)


class Directories:
    """Makes them. Guesses are counted over all of them and over reloads."""

    def __init__(
        self,
        users: Users,
        hasher: PasswordHasher,
        clock: Clock,
        admit: Callable[[ExternalIdentity], Awaitable[User]],
        threads: Threads,
    ) -> None:
        self._users = users
        self._hasher = hasher
        self._clock = clock
        self._admit = admit
        self._attempts = Attempts(clock)
        self._threads = threads

    def provider(self, connection: Connection) -> PasswordProvider:
        """Of a connection whose kind takes a password."""
        if isinstance(connection, LdapConnection):
            return LdapPasswords(connection, connect, self._admit, self._attempts, self._threads, self._clock)
        title = connection.rules.title
        return LocalPasswords(self._users, self._hasher, self._clock, self._attempts, title)


def looking(connection: LdapConnection, threads: Threads, clock: Clock) -> LdapPasswords:
    """To look people up in a directory, not to sign them in."""

    async def admit(identity: ExternalIdentity) -> User:
        raise NotImplementedError(f"{identity.login} is only looked up")

    return LdapPasswords(connection, connect, admit, Attempts(clock), threads, clock)


def connect(url: str, settings: LdapConnection) -> AbstractContextManager[Link]:
    """``wire.connected``, imported where there is an LDAP connection: it is an extra, and not small."""
    try:
        from gatekit.identity.ldap.wire import connected  # noqa: PLC0415
    except ImportError:
        raise DirectoryRefused("python-ldap is not installed here; scripts/install-ldap does it") from None
    return connected(url, settings)
