"""Configuration → the providers that take a password: our own accounts and LDAP directories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager

from gatekit.config.model import Config, Connection, LocalConnection
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


class Directories(Mapping[str, PasswordProvider]):
    """By connection name, always those of the configuration in force. Guesses are counted over all of them
    and over reloads."""

    def __init__(
        self,
        config: Callable[[], Config],
        users: Users,
        hasher: PasswordHasher,
        clock: Clock,
        admit: Callable[[ExternalIdentity], Awaitable[User]],
        threads: Threads,
    ) -> None:
        self._config = config
        self._users = users
        self._hasher = hasher
        self._clock = clock
        self._admit = admit
        self._attempts = Attempts(clock)
        self._threads = threads
        self._made: dict[Connection, PasswordProvider] = {}
        self._seen: Config | None = None

    def __getitem__(self, name: str) -> PasswordProvider:
        return self._current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> dict[str, PasswordProvider]:
        config = self._config()
        if config is not self._seen:
            wanted = [c for c in config.auth.connections if c.rules.enabled]
            # What did not change stays: it knows which of its servers are well.
            made = {c: self._made.get(c) or self._provider(c) for c in wanted}
            self._made = {c: provider for c, provider in made.items() if provider is not None}
            self._seen = config
        return {connection.name: provider for connection, provider in self._made.items()}

    def _provider(self, connection: Connection) -> PasswordProvider | None:
        if isinstance(connection, LocalConnection):
            return LocalPasswords(
                self._users, self._hasher, self._clock, self._attempts, connection.rules.title
            )
        if isinstance(connection, LdapConnection):
            return LdapPasswords(connection, connect, self._admit, self._attempts, self._threads, self._clock)
        return None


def connect(url: str, settings: LdapConnection) -> AbstractContextManager[Link]:
    """``wire.connected``, imported where there is an LDAP connection: it is an extra, and not small."""
    try:
        from gatekit.identity.ldap.wire import connected  # noqa: PLC0415
    except ImportError:
        raise DirectoryRefused("python-ldap is not installed here; scripts/install-ldap does it") from None
    return connected(url, settings)
